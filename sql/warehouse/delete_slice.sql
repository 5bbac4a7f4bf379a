delete from {{ table | identifier }}
where true
{% for column, value in key.items() %}
    and {{ column | identifier }} is not distinct from {{ value | bind }}
{% endfor %}
