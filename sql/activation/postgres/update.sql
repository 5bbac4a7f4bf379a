update {{ table | identifier }} as target set
{% for column in columns %}
    {{ column.name | identifier }} = staging.{{ column.name | identifier }}{% if not loop.last %},{% endif %}

{% endfor %}
from {{ staging | identifier }} as staging
where target.{{ key | identifier }} = staging.{{ key | identifier }}
returning staging.{{ key | identifier }}
