insert into {{ table | identifier }} (
    {{ key | identifier }}
{% for column in columns %}
    , {{ column.name | identifier }}
{% endfor %}
)
select
    {{ key | identifier }}
{% for column in columns %}
    , {{ column.name | identifier }}
{% endfor %}
from {{ staging | identifier }}
on conflict ({{ key | identifier }})
{% if columns and updates %}
do update set
{% for column in columns %}
    {{ column.name | identifier }} = excluded.{{ column.name | identifier }}{% if not loop.last %},{% endif %}

{% endfor %}
{% else %}
do nothing
{% endif %}
{% if not updates %}
returning {{ key | identifier }}
{% endif %}
