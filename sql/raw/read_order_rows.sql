{# The rows of one file, not judged yet: what they lack may stand on other rows of their order, in any file. A row that was recorded
   later than what is known gives nothing to others. #}
{% set hides = recorded and recorded.known_on is not none %}
{% if is_first %}
create or replace {% if not is_large %}temp {% endif %}table order_rows as
{% else %}
insert into order_rows by name
{% endif %}
with
{% include "raw/parts/read_rows.sql" %}

{% if orders.carries_orders %}
,
-- An export for people writes an order's number on its first row and leaves it blank on those below.
ordered as (
    select
        * replace (
            last_value({{ orders.order_column | identifier }} ignore nulls) over (
                order by line_number rows between unbounded preceding and current row
            ) as {{ orders.order_column | identifier }}
        )
    from dated
)
{% endif %}
{% set rows_of_file = "ordered" if orders.carries_orders else "dated" %}
{% if orders.carries_records %}
,
records as (
    select
        * replace (
            coalesce(recorded_at, case when {{ orders.order_column | identifier }} is not null then first_value(recorded_at ignore nulls) over of_order end) as recorded_at,
            coalesce(recorded_on, case when {{ orders.order_column | identifier }} is not null then first_value(recorded_on ignore nulls) over of_order end) as recorded_on
        )
    from {{ rows_of_file | identifier }}
    window of_order as (
        partition by {{ orders.order_column | identifier }} order by line_number
        rows between unbounded preceding and unbounded following
    )
)
{% endif %}
select
{% for column in given_columns %}
    {% if hides and column != "recorded_given" %}case when recorded_on > {{ recorded.known_on | bind }} then null else cast({{ column | identifier }} as varchar) end{% else %}cast({{ column | identifier }} as varchar){% endif %} as {{ column | identifier }},
{% endfor %}
    * exclude ({% for column in left_out %}{{ column | identifier }}{% if not loop.last %}, {% endif %}{% endfor %})
{%- if hides %}

    replace (
        case when recorded_on <= {{ recorded.known_on | bind }} then {{ orders.order_column | identifier }} end as {{ orders.order_column | identifier }}
    )
{%- endif %},
{% if not has_faults %}
    cast(null as varchar) as fault,
{% endif %}
    {{ layout.position | bind }}::integer as file_position,
    {{ layout.name | bind }} as file_name,
    {{ layout.position | bind }}::bigint * 1000000000000 + line_number as read_place
from {% if orders.carries_records %}records{% else %}{{ rows_of_file | identifier }}{% endif %}

