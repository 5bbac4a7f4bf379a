{# What one unit of a line's amounts is. #}
case line_currency
{% for code, unit in money.units %}
    when {{ code | bind }} then cast({{ unit | bind }} as decimal(18, 12))
{% endfor %}
    else cast({{ money.units[0][1] | bind }} as decimal(18, 12))
end
