with

netted_lines as (

    select * from {{ ref('int_netted_lines') }}

),

netted_days as (

    select distinct
        snapshot_date,
        customer_id,
        ordered_on

    from netted_lines

),

lines as (

    select
        netted_days.snapshot_date,
        orders.*,
        coalesce(netted_lines.units_left, if(orders.is_return, 0, orders.units)) as units_left,
        coalesce(netted_lines.amount_left, if(orders.is_return, 0, orders.amount)) as amount_left

    from {{ as_known('orders') }} as orders
    inner join netted_days
        on orders.customer_id = netted_days.customer_id
        and orders.ordered_on = netted_days.ordered_on
    left join netted_lines
        on netted_days.snapshot_date = netted_lines.snapshot_date
        and orders.file = netted_lines.file
        and orders.row_number = netted_lines.row_number

),

{{ order_day_facts('lines') }}

select *
from order_days
order by customer_id, ordered_on
