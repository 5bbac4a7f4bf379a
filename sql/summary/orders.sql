-- What the sessions had to learn from. An order is an order number, or a customer's instant where there is none.
select
    count(distinct customer_id) as customers
    , count(distinct coalesce(order_id, customer_id || ' ' || cast(ordered_at as varchar))) as orders
    , count(*) as order_lines
    , min(ordered_on) as first_on
    , max(ordered_on) as last_on
    , case when count(distinct currency) = 1 then min(currency) end as currency
from {{ table | identifier }}
