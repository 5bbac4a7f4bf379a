drop {% if is_view %}view{% else %}table{% endif %} {{ path | identifier }}
