{% include "raw/parts/figures.sql" %}
,
totals as (
    select
        *,
{% if money.amount_level == "order" %}
        -- A line without a total takes part in that of its order.
        amount_double as total_double,
        amount_read as total_read,
{% else %}
        case when amount_given is null then quantity_double * unit_price_double else amount_double end as total_double,
        case
            when amount_given is not null then amount_read
            -- The warehouse multiplies wide decimals twenty times slower than those of 18 digits.
            when quantity_read = trunc(quantity_read) and abs(quantity_read) < 999999999
                and abs(cast(quantity_read as double) * cast(unit_price_read as double)) < 1e11
                then cast(cast(quantity_read as decimal(9, 0)) * unit_price_read as decimal(18, 4))
            else try_cast(cast(quantity_read as decimal(38, 6)) * unit_price_read as decimal(18, 4))
        end as total_read,
{% endif %}
        case line_currency
{% for code, rate in money.rates %}
            when {{ code | bind }} then cast({{ rate | bind }} as decimal(18, 12))
{% endfor %}
        end as rate
    from {% if money.units and not money.is_scaled_by_order %}scaled{% else %}numbers{% endif %}

)
