attach {{ path | bind }} as {{ name | identifier }}{% if read_only %} (read_only){% endif %}
