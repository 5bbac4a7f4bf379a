-- Every sale of a product to a customer is put on a stack, every return takes from its top (last in, first out). `height` is
-- the stack after a line; what is taken below the bottom is a return without a sale and is forgotten. What is left of a sale
-- is what the stack never fell below since. Days come first in the order: a snapshot sees whole days.
-- Lines of one instant are ordered by what they hold; only lines that hold the same are ordered by where they were read.
with

snapshot_days as (

    select * from {{ ref('int_snapshot_days') }}

),

lines as (

    select
        file,
        row_number,
        customer_id,
        order_id,
        product_id,
        product_category,
        ordered_on,
        ordered_at,
        is_return,
        units,
        amount,
        is_coupon,
        channel

    from {{ as_known('orders') }}
    where product_id is not null

),

returned_products as (

    select
        customer_id,
        product_id,
        min(ordered_on) as first_returned_on

    from lines
    where is_return
    group by customer_id, product_id

),

balances as (

    select
        lines.*,
        returned_products.first_returned_on,
        drawn_customers.is_drawn,
        sum(lines.units) over (
            partition by lines.customer_id, lines.product_id
            order by lines.ordered_on, lines.ordered_at, lines.is_return, {{ tie_break('lines') }}
            rows between unbounded preceding and current row
        ) as balance

    from lines
    inner join returned_products
        on lines.customer_id = returned_products.customer_id
        and lines.product_id = returned_products.product_id
    left join {{ ref('int_drawn_customers') }} as drawn_customers
        on lines.customer_id = drawn_customers.customer_id

),

heights as (

    select
        *,
        balance - least(
            0,
            min(balance) over (
                partition by customer_id, product_id
                order by ordered_on, ordered_at, is_return, {{ tie_break('balances') }}
                rows between unbounded preceding and current row
            )
        ) as height

    from balances

),

seen as (

    select
        snapshot_days.snapshot_date,
        heights.*,
        min(heights.height) over rest as lowest_height_since,
        last_value(heights.height) over rest as product_units_left

    from heights
    inner join snapshot_days
        on heights.ordered_on = snapshot_days.day
        and {{ same_customers('heights') }}
        and heights.first_returned_on <= snapshot_days.snapshot_date
    window rest as (
        partition by snapshot_days.snapshot_date, heights.customer_id, heights.product_id
        order by heights.ordered_on, heights.ordered_at, heights.is_return, {{ tie_break('heights') }}
        rows between current row and unbounded following
    )

),

netted as (

    select
        *,
        greatest(0, least(units, lowest_height_since - (height - units))) as units_left

    from seen
    where not is_return

)

select
    snapshot_date,
    customer_id,
    product_id,
    product_category,
    ordered_on,
    file,
    row_number,
    cast(units_left as decimal(18, 4)) as units_left,
    cast(
        if(units_left = 0, 0, round(cast(amount as double) * cast(units_left as double) / cast(units as double), 4))
        as decimal(18, 4)
    ) as amount_left,
    cast(product_units_left as decimal(18, 4)) as product_units_left

from netted
where units_left < units
