copy {{ table | identifier }} (
    {{ key | identifier }}
{% for column in columns %}
    , {{ column.name | identifier }}
{% endfor %}
) from stdin (format {% if is_binary %}binary{% else %}csv{% endif %})
