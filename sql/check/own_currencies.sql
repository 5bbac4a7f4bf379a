{# The currencies of the rows that were just staged, with the money of each before it was converted.

An amount is taken back to its own currency by order, and rounded to the digits of that currency, which a conversion does not keep. #}
with amounts as (
    select
        staged.staged_currency as currency,
        case when orders.order_id is null then orders.file || ':' || orders.row_number else orders.order_id end as order_key,
        count(*) as order_lines,
        sum(orders.amount) as converted
    from staged_rows as staged
    inner join {{ orders | identifier }} as orders
        on orders.file = list_extract({{ files | bind }}::varchar[], staged.staged_file_position + 1) and staged.row_number = orders.row_number
    where staged.staged_reason is null
    group by all
),
own as (
    select
        *,
        case currency
{% for code, rate, digits in currencies %}
            when {{ code | bind }} then round(converted / cast({{ rate | bind }} as decimal(18, 12)), {{ digits | bind }}::integer)
{% endfor %}
        end as amount
    from amounts
),
refused as (
    select
        staged_currency as currency,
        count(*) as refused_rows
    from staged_rows
    where staged_reason is not null
    group by all
)

select
    coalesce(own.currency, refused.currency) as currency,
    coalesce(sum(own.order_lines), 0)::bigint as order_lines,
    cast(coalesce(sum(own.amount), 0) as decimal(38, 4)) as amount,
    cast(coalesce(sum(own.converted), 0) as decimal(38, 4)) as converted,
    coalesce(any_value(refused.refused_rows), 0)::bigint as refused_rows
from own
full outer join refused on own.currency = refused.currency
where coalesce(own.currency, refused.currency) is not null
group by 1
order by order_lines desc, refused_rows desc, currency
limit {{ most | bind }}::bigint
