{% for name in money.numbers %}
            when {{ (name ~ "_given") | identifier }} is not null and {{ (name ~ "_double") | identifier }} is null then 'bad_number'
{% endfor %}
{% for name in money.numbers %}
            when not isfinite({{ (name ~ "_double") | identifier }}) then 'not_finite'
{% endfor %}
{% for figure in money.figures if figure.is_money and figure.is_text %}
            when {{ figure.mark | identifier }} <> '' and rate is not null
                and not list_contains({{ money.own_marks | bind }}, line_currency || ' ' || {{ figure.mark | identifier }})
                then 'other_currency'
{% endfor %}
            when coupon_given is not null and coupon_used is null then 'bad_flag'
            when total_double is null then 'missing_amount'
{% for name, lowest, highest, above, below in money.bounds %}
{% set column = "total_double" if name == "amount" else name ~ "_double" %}
            when {{ column | identifier }} < {{ lowest | bind }} then 'out_of_bounds'
            when {{ column | identifier }} > {{ highest | bind }} then 'out_of_bounds'
{% if above is not none %}
            when {{ column | identifier }} <= {{ above | bind }} then 'out_of_bounds'
{% endif %}
{% if below is not none %}
            when {{ column | identifier }} >= {{ below | bind }} then 'out_of_bounds'
{% endif %}
{% endfor %}
            when rate is null then 'unknown_currency'
            when total_converted is null then 'out_of_bounds'
            when unit_price_given is not null and unit_price_converted is null then 'out_of_bounds'
            when quantity_given is not null and quantity_read is null then 'out_of_bounds'
{% if "refunded_amount" in money.numbers %}
            when refunded_amount_given is not null and refunded_amount_converted is null then 'out_of_bounds'
{% endif %}
