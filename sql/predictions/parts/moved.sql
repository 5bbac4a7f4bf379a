{% if kind == "amount" %}
predicted_target * {{ factor | bind }}::double
{% else %}
predicted_target * {{ factor | bind }}::double / (1 - predicted_target + predicted_target * {{ factor | bind }}::double)
{% endif %}
