-- Customers whom each workflow scores on a day, and, without a workflow, whom any of them does.
with eligible as (
{% for workflow, table in tables.items() %}
    select
        {{ workflow | bind }} as workflow
        , customer_id
    from {{ table | identifier }}
    where snapshot_date = cast({{ day | bind }} as date)
{% if not loop.last %}
    union all
{% endif %}
{% endfor %}
)

select
    workflow
    , count(distinct customer_id) as customers
from eligible
group by grouping sets ((workflow), ())
order by workflow
