{# Amounts in the reporting currency, with their sign. A negative amount alone lowers spend and is not a return. #}
priced as (
    select
        *
{% if "refunded_amount" in money.numbers and money.meanings and money.meanings.refunded %}
        -- An order that was given back, with no word of how much, came to nothing: also where a column is not kept and holds 0.
        replace (
            case
                when meaning = 'sale' and meaning_from = 'common' and coalesce(refunded_amount_read, 0) = 0
                    and list_contains({{ money.meanings.refunded | list | bind }}::varchar[], lower(status_given))
                    {% if money.by_order %}and not has_refund_rows{% endif %}

                    then 'void'
                else meaning
            end as meaning
        )
{% endif %}
        ,
{% if money.rates | length == 1 %}
        case when rate = 1 then total_read end as total_converted,
        case when rate = 1 then unit_price_read end as unit_price_converted,
{% else %}
        try_cast(cast(total_read as decimal(38, 4)) * rate as decimal(18, 4)) as total_converted,
        try_cast(cast(unit_price_read as decimal(38, 6)) * rate as decimal(18, 6)) as unit_price_converted,
{% endif %}
{% if "refunded_amount" in money.numbers %}
        try_cast(abs(cast(refunded_amount_read as decimal(38, 4))) * rate as decimal(18, 4)) as refunded_amount_converted,
{% endif %}
        coalesce(quantity_double < 0, false) or meaning = 'return'{% if money.by_order %} or is_refund{% endif %} as is_reversal
    from {% if money.by_order %}resolved{% else %}meant{% endif %}

),
totalled as (
    select
        *,
{% if money.kinds %}
        is_reversal and line_kind = 'product' as is_return,
        case
            when line_kind = 'discount' and meaning = 'return' then abs(total_converted)
            when line_kind = 'discount' then -abs(total_converted)
            when is_reversal then -abs(total_converted)
            else total_converted
        end as total_signed
{% else %}
        is_reversal as is_return,
        case when is_reversal then -abs(total_converted) else total_converted end as total_signed
{% endif %}
    from priced
),
signed as (
    select
        *,
{% if "refunded_amount" in money.numbers %}
        case when not is_reversal{% if money.by_order %} and not has_refund_rows{% endif %} then refunded_amount_converted end as refund,
{% endif %}
{% if "refunded_amount" in money.numbers and not money.by_order %}
        cast(
            total_signed - coalesce(case when not is_reversal then refunded_amount_converted end, 0) as decimal(18, 4)
        ) as amount_signed
{% else %}
        total_signed as amount_signed
{% endif %}
    from totalled
)
