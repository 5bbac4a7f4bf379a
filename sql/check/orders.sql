-- The accepted order lines in figures. Returns are lines too and net against the revenue.
select
    count(distinct customer_id) as customers,
    count(distinct order_id) as orders,
    count(*) as order_lines,
    count(distinct ordered_on) as days,
    min(ordered_on) as first_on,
    max(ordered_on) as last_on,
    max(currency) as currency,
    coalesce(sum(amount), 0) as net_revenue
from {{ orders | identifier }}
