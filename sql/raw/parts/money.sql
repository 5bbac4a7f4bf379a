cleaned as (
    select
{% if money.marks.decimal == "," or money.marks.thousands %}
        -- A mark that is neither the decimal mark nor groups thousands by three is a mistake: not to be guessed.
        * replace (
{% for name in ["quantity_given", "unit_price_given", "amount_given"] %}
            case
{% if money.marks.thousands %}
                when regexp_matches({{ name | identifier }}, {{ money.marks.thousands_class | bind }})
                    and not regexp_matches({{ name | identifier }}, {{ money.marks.grouped | bind }})
                    then 'unreadable'
{% endif %}
{% if money.marks.decimal == "," and money.marks.thousands != "." %}
                when contains({{ name | identifier }}, '.') then 'unreadable'
{% endif %}
                else {% if money.marks.decimal == "," %}replace({% endif %}{% if money.marks.thousands %}regexp_replace({{ name | identifier }}, {{ money.marks.thousands_class | bind }}, '', 'g'){% else %}{{ name | identifier }}{% endif %}{% if money.marks.decimal == "," %}, ',', '.'){% endif %}

            end as {{ name | identifier }}{% if not loop.last %},{% endif %}

{% endfor %}
        )
{% else %}
        *
{% endif %}
    from placed
),
-- Products of two DECIMAL(18) overflow at 18 digits: one factor is widened first.
numbers as (
    select
        *,
        try_cast(quantity_given as double) as quantity_double,
        try_cast(unit_price_given as double) as unit_price_double,
        try_cast(amount_given as double) as amount_double,
        try_cast(quantity_given as decimal(18, 6)) as quantity_read,
        try_cast(unit_price_given as decimal(18, 6)) as unit_price_read,
        try_cast(amount_given as decimal(18, 4)) as amount_read,
        try_cast(coupon_given as boolean) as coupon_used
    from cleaned
),
totals as (
    select
        *,
        case when amount_given is null then quantity_double * unit_price_double else amount_double end as total_double,
        case
            when amount_given is null then try_cast(cast(quantity_read as decimal(38, 6)) * unit_price_read as decimal(18, 4))
            else amount_read
        end as total_read,
        case {% if money.currency is none %}upper(currency_given){% else %}{{ money.currency | bind }}{% endif %}

{% for code, rate in money.rates %}
            when {{ code | bind }} then cast({{ rate | bind }} as decimal(18, 12))
{% endfor %}
        end as rate
    from numbers
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
