{# The rows of one file, not judged yet: what they lack may stand on other rows of their order, in any file. #}
{% if is_first %}
create or replace temp table order_rows as
{% else %}
insert into order_rows by name
{% endif %}
with
{% include "raw/parts/read_rows.sql" %}

select
{% for column in given_columns %}
    cast({{ column | identifier }} as varchar) as {{ column | identifier }},
{% endfor %}
    * exclude ({% for column in left_out %}{{ column | identifier }}{% if not loop.last %}, {% endif %}{% endfor %}),
{% if not has_faults %}
    cast(null as varchar) as fault,
{% endif %}
    {{ layout.position | bind }}::integer as file_position,
    {{ layout.name | bind }} as file_name,
    {{ layout.position | bind }}::bigint * 1000000000000 + line_number as read_place
from dated
