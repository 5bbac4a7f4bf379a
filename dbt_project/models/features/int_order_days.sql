with

lines as (

    select
        cast(null as date) as snapshot_date,
        *,
        if(is_return, 0, units) as units_left,
        if(is_return, 0, amount) as amount_left

    from {{ as_known('orders') }}

),

{{ order_day_facts('lines') }}

select
    order_days.* exclude (snapshot_date), -- noqa: RF02
    drawn_customers.is_drawn

from order_days
left join {{ ref('int_drawn_customers') }} as drawn_customers
    on order_days.customer_id = drawn_customers.customer_id
-- Rows of a customer side by side halve the cost of what is grouped by customer next.
order by order_days.customer_id, order_days.ordered_on
