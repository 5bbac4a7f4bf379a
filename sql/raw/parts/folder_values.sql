{% for field in layout.fields %}
{% if field.is_of_folder %}
    , cast({{ field.value | bind }} as {{ ("DATE" if field.family == "date" else "VARCHAR") | sql_type }}) as {{ ("field_" ~ loop.index0) | identifier }}
{% endif %}
{% endfor %}
