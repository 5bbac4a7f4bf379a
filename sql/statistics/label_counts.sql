select
    {{ column | identifier }}::varchar as label,
    count(*) as row_count
from {{ table | identifier }}
where true
{% for name, value in where.items() %}
    and {{ name | identifier }} = {{ value | bind }}
{% endfor %}
group by all
order by row_count desc, label asc
