-- In a fixed order: what a learner reads must not depend on threads.
select
    snapshot_date,
    customer_id,
    target{% for column in columns %},
    {{ column | identifier }}
{%- endfor %}

from {{ table | identifier }}
where split = {{ split | bind }}
order by snapshot_date, customer_id
