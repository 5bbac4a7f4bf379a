-- In a fixed order: what a learner reads must not depend on threads. Shuffled by a hash for learners that take row after row.
select
    snapshot_date,
    customer_id,
    target{% for column in columns %},
    {{ column | identifier }}
{%- endfor %}

from {{ table | identifier }}
where split = {{ split | bind }}
{% if shuffled is defined and shuffled %}
order by md5_number_lower(customer_id || snapshot_date::varchar), snapshot_date, customer_id
{% else %}
order by snapshot_date, customer_id
{% endif %}
