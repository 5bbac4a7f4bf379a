-- What each customer's rows hold, whatever their order: equal rows give equal figures. `last_on` is the latest day in any of them.
create or replace temporary table {{ read | identifier }} as
with of_sources as (
{% for source in sources %}
{% if not loop.first %}
    union all
{% endif %}
    select
        events.customer_id,
        count(*) as row_count,
        sum(hash(events, {{ source.name | bind }})) as content,
        max(greatest(null{% for day in source.days %}, events.{{ day | identifier }}{% endfor %})) as last_on
    from (
        select
            {% for column in source.columns %}
            {{ column | identifier }}{% if not loop.last %},{% endif %}

            {% endfor %}
        from {{ source.path | identifier }}
    ) as events
    group by events.customer_id
{% endfor %}
)

select
    customer_id,
    cast(sum(row_count) as bigint) as row_count,
    sum(content) as content,
    max(last_on) as last_on
from of_sources
group by customer_id
