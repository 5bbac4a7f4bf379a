create table if not exists {{ table | identifier }} (
    {{ key | identifier }} varchar primary key
{% for column in columns %}
    , {{ column.name | identifier }} {% if column.type == "DOUBLE" %}double precision{% elif column.type == "FLOAT" %}real{% elif column.type == "JSON" %}jsonb{% else %}{{ column.type | sql_type }}{% endif %}

{% endfor %}
)
