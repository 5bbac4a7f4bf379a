with

{{ order_days_at_snapshots() }}

select
    snapshot_date,
    customer_id,
    -- Sums are 16 bytes wide; half that holds them, and the join of all features has to hold everything.
    cast(sum(orders) as bigint) as orders,
    cast(sum(canceled_orders) as bigint) as canceled_orders,
    cast(sum(coupon_orders) as bigint) as coupon_orders,
    cast(sum(online_orders) as bigint) as online_orders,
    cast(sum(offline_orders) as bigint) as offline_orders,
    cast(sum(net_amount) as decimal(18, 4)) as net_amount,
    cast(sum(returned_amount) as decimal(18, 4)) as returned_amount,
    cast(sum(units) as decimal(18, 4)) as units,
    max(largest_order_amount) as largest_order_amount

from days
group by snapshot_date, customer_id
-- The population: customers to whom a sale is left.
having sum(orders) > 0
