{% include "raw/parts/figures.sql" %}
,
{% set read = "scaled" if money.units and not money.is_scaled_by_order else "numbers" %}
{% if "amount_reversed" in money.numbers %}
-- The two sides of an amount: an empty one is 0 where the other has a value.
sided as (
    select
        * replace (
            coalesce(cast(amount_given as varchar), cast(amount_reversed_given as varchar)) as amount_given,
            case
                when amount_given is not null or amount_reversed_given is not null
                    then coalesce(amount_double, case when amount_given is null then 0 end)
                        - coalesce(amount_reversed_double, case when amount_reversed_given is null then 0 end)
            end as amount_double,
            case
                when amount_given is not null or amount_reversed_given is not null
                    then try_cast(
                        coalesce(amount_read, case when amount_given is null then 0 end)
                        - coalesce(amount_reversed_read, case when amount_reversed_given is null then 0 end) as decimal(18, 4)
                    )
            end as amount_read
        )
    from {{ read | identifier }}
),
{% set read = "sided" %}
{% endif %}
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
    from {{ read | identifier }}
)
