-- The same rows every time, and in the same order: those whose salted key hashes lowest.
select
{% for column, type in columns.items() %}
    {{ column | identifier }}::{{ type | sql_type }} as {{ column | identifier }}{% if not loop.last %},{% endif %}

{% endfor %}
from {{ table | identifier }}
where true
{% for column, value in where.items() %}
    and {{ column | identifier }} = {{ value | bind }}
{% endfor %}
order by md5('report:' || customer_id::varchar) asc, customer_id asc
limit {{ rows | bind }}
