copy {{ table | identifier }} (
    {{ key | identifier }}
{% for column in columns %}
    , {{ column.name | identifier }}
{% endfor %}
) from stdin (format csv)
