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
from {{ incoming | identifier }}
