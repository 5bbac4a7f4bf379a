create {% if replace %}or replace {% endif %}table {% if not replace %}if not exists {% endif %}{{ contract.path | identifier }} (
{% for column in contract.columns %}
    {{ column.name | identifier }} {{ column.type | sql_type }}{% if not column.compressed %} using compression uncompressed{% endif %}{% if not column.nullable %} not null{% endif %}{% if not loop.last %},{% endif %}

{% endfor %}
)
