-- One row of values, by name.
select
{% for name, value in row.items() %}
    {{ value | bind }} as {{ name | identifier }}{% if not loop.last %},{% endif %}

{% endfor %}
