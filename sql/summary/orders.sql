-- What the sessions had to learn from, up to the day they stand at. An order is an order number, or a customer's instant where
-- there is none, with at least one line that sells a product.
with lines as (
    select
        customer_id
        , ordered_on
        , currency
        , coalesce(order_id, customer_id || ' ' || cast(ordered_at as varchar)) as order_key
        , is_return
        , is_product and amount >= 0 as has_product
        , coalesce(ordered_on > cast({{ as_of | bind }} as date), false) as is_later
    from {{ table | identifier }}
)

select
    count(distinct customer_id) filter (where not is_later) as customers
    , count(distinct order_key) filter (where not is_later and not is_return and has_product) as orders
    , count(*) filter (where not is_later) as order_lines
    , count(*) filter (where not is_later and is_return) as return_lines
    , count(*) filter (where is_later) as later_lines
    , min(ordered_on) filter (where not is_later) as first_on
    , max(ordered_on) filter (where not is_later) as last_on
    , case
        when count(distinct currency) filter (where not is_later) = 1 then min(currency) filter (where not is_later)
    end as currency
from lines
