{% include "raw/parts/figures.sql" %}
,
totals as (
    select
        *,
        case when amount_given is null then quantity_double * unit_price_double else amount_double end as total_double,
        case
            when amount_given is null then try_cast(cast(quantity_read as decimal(38, 6)) * unit_price_read as decimal(18, 4))
            else amount_read
        end as total_read,
        case line_currency
{% for code, rate in money.rates %}
            when {{ code | bind }} then cast({{ rate | bind }} as decimal(18, 12))
{% endfor %}
        end as rate
    from {% if money.units %}scaled{% else %}numbers{% endif %}

),
priced as (
    select
        *,
{% if money.rates | length == 1 %}
        case when rate = 1 then total_read end as total_converted,
        case when rate = 1 then unit_price_read end as unit_price_converted,
{% else %}
        try_cast(cast(total_read as decimal(38, 4)) * rate as decimal(18, 4)) as total_converted,
        try_cast(cast(unit_price_read as decimal(38, 6)) * rate as decimal(18, 6)) as unit_price_converted,
{% endif %}
        coalesce(quantity_double < 0, false)
        or coalesce(total_double < 0, false)
        or coalesce(list_contains({{ money.return_statuses | list | bind }}, upper(status_given)), false) as is_return
    from totals
)
