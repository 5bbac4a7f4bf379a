-- Lines without a status whose order has a status on another line, and the share of all money on them: sizes, returns included.
with orders as (
    select
        count(order_status) > 0 as has_status,
        count(*) - count(order_status) as empty_lines,
        coalesce(sum(abs(amount)) filter (where order_status is null), 0) as empty_money,
        coalesce(sum(abs(amount)), 0) as money
    from {{ orders | identifier }}
    where ordered_on <= {{ as_of | bind }}
    group by coalesce(order_id, file || ':' || row_number)
)

select
    coalesce(sum(empty_lines) filter (where has_status), 0)::bigint as lines,
    coalesce(sum(empty_money) filter (where has_status) / nullif(sum(money), 0), 0)::double as share
from orders
