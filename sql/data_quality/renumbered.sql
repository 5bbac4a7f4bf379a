-- Per day of orders up to as_of: its sold lines, those that are under several orders with the same customer, product, quantity and amount, how
-- many of these are counted once too often, their money, and those of them whose orders have one instant.
-- Lines are compared by a hash of their content: among ten million the chance that it confuses any two is below one in 100,000.
with sold as (
    select
        ordered_on,
        ordered_at,
        order_id,
        amount,
        hash(customer_id, ordered_on, product_id, quantity, amount) as content
    from {{ orders | identifier }}
    where ordered_on <= {{ as_of | bind }} and order_id is not null and amount > 0 and not is_return
),

-- Few contents are under two orders: what the others hold is not added up.
repeated as (
    select content
    from sold
    group by content
    having min(hash(order_id)) < max(hash(order_id))
),

contents as (
    select
        sold.content,
        any_value(sold.ordered_on) as ordered_on,
        count(*) as line_count,
        count(*) / count(distinct sold.order_id) as lines_of_one,
        any_value(sold.amount) as amount,
        min(sold.ordered_at) = max(sold.ordered_at) and min(sold.ordered_at) <> date_trunc('day', min(sold.ordered_at)) as is_instant
    from sold
    semi join repeated on sold.content = repeated.content
    group by sold.content
),

twins as (
    select
        ordered_on,
        sum(line_count) as twin_lines,
        sum(line_count - lines_of_one) as surplus_lines,
        sum((line_count - lines_of_one) * amount) as surplus_money,
        coalesce(sum(line_count - lines_of_one) filter (where is_instant), 0) as instant_lines
    from contents
    group by ordered_on
),

days as (
    select
        ordered_on,
        count(*) as line_count
    from sold
    group by ordered_on
)

select
    days.ordered_on as day,
    days.line_count::bigint as lines,
    coalesce(twins.twin_lines, 0)::bigint as twin_lines,
    coalesce(twins.surplus_lines, 0)::bigint as surplus_lines,
    coalesce(twins.surplus_money, 0)::double as surplus_money,
    coalesce(twins.instant_lines, 0)::bigint as instant_lines
from days
left join twins on days.ordered_on = twins.ordered_on
order by days.ordered_on
