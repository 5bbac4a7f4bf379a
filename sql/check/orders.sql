-- The accepted order lines in figures, customer by customer first. Returns are lines too and net against the revenue.
with customers as (
    select
        customer_id,
        count(distinct ordered_on) as days,
        count(*) as order_lines,
        max(currency) as currency,
        sum(amount) as net_revenue
    from {{ orders | identifier }}
    group by customer_id
)

select
    count(*) as customers,
    count(*) filter (where days > 1) as returning_customers,
    (select count(distinct order_id) from {{ orders | identifier }}) as orders,
    coalesce(sum(order_lines), 0)::bigint as order_lines,
    (select count(distinct ordered_on) from {{ orders | identifier }}) as days,
    (select min(ordered_on) from {{ orders | identifier }}) as first_on,
    (select max(ordered_on) from {{ orders | identifier }}) as last_on,
    max(currency) as currency,
    coalesce(sum(net_revenue), 0) as net_revenue
from customers
