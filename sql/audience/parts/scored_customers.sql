{% for workflow in workflows %}
    select customer_id
    from {{ workflow.table | identifier }}
    where session_id = {{ workflow.session_id | bind }}
{% if not loop.last %}
    union
{% endif %}
{% endfor %}
