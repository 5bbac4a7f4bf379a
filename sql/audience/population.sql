-- Customers whom the sessions have scored, each counted once over all workflows.
with population as (
{% for workflow in workflows %}
    select customer_id
    from {{ workflow.table | identifier }}
    where session_id = {{ workflow.session_id | bind }}
{% if not loop.last %}
    union
{% endif %}
{% endfor %}
)

select count(distinct customer_id) as customers
from population
