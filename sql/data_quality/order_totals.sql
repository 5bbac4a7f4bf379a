-- Orders of several lines with different products, and those of them whose lines all have the same amount: their number, how many
-- different amounts they have, and the money that these come to line by line and once per order. Files that overlap repeat the
-- lines of an order, so that an order of several files says nothing.
with orders as (
    select
        count(*) as lines,
        min(amount) as amount,
        min(amount) = max(amount) and min(amount) > 0 as is_alike
    from {{ orders | identifier }}
    where
        order_id is not null
        and is_product
        and not is_return
        and ordered_on <= {{ as_of | bind }}
    group by order_id
    having
        count(*) > 1
        and min(file) = max(file)
        and (count(product_id) = 0 or min(product_id) <> max(product_id))
)

select
    count(*) as orders,
    count(*) filter (where is_alike) as alike,
    count(distinct amount) filter (where is_alike) as amounts,
    coalesce(sum(amount * lines) filter (where is_alike), 0)::double as money,
    coalesce(sum(amount) filter (where is_alike), 0)::double as money_once
from orders
