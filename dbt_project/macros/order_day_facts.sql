{#
What one customer did on one day, from order lines: one row per snapshot_date, customer_id and ordered_on.

`lines` needs snapshot_date, customer_id, ordered_on, order_key, ordered_at, is_return, units, amount, units_left, amount_left,
is_coupon and channel. A line counts as bought while units_left > 0; units_left is 0 for a return.
Money is summed as DECIMAL, so that no order of addition changes a bit. Of orders of one instant the smallest is the first and the
largest the last: where a line was read changes nothing.
A discount lowers the sales of its day. What a day gives back beyond its sales (a refund of money without a product) is returned.
#}
{% macro order_day_facts(lines) %}
orders_of_a_day as (

    select
        snapshot_date,
        customer_id,
        ordered_on,
        order_key,
        min(ordered_at) filter (where units_left > 0) as first_at,
        count(*) filter (where units_left > 0) > 0 as is_order,
        count(*) filter (where is_return) > 0 as is_canceled,
        count(*) filter (where units_left > 0 and is_coupon) > 0 as has_coupon,
        count(*) filter (where units_left > 0 and channel = 'online') > 0 as is_online,
        count(*) filter (where units_left > 0 and channel = 'offline') > 0 as is_offline,
        sum(amount) as net_amount,
        coalesce(sum(-amount) filter (where is_return), 0) as returned_amount,
        coalesce(sum(amount) filter (where not is_return), 0) as sold_amount,
        sum(units) as units,
        sum(amount_left) as amount_left

    from {{ lines }}
    group by snapshot_date, customer_id, ordered_on, order_key

),

keyed_orders as (

    select
        *,
        {{ amount_key('first_at', 'greatest(amount_left, 0)') }} as amount_key

    from orders_of_a_day

),

order_days as (

    select
        snapshot_date,
        customer_id,
        ordered_on,
        count(*) filter (where is_order) as orders,
        count(*) filter (where is_canceled) as canceled_orders,
        count(*) filter (where has_coupon) as coupon_orders,
        count(*) filter (where is_online) as online_orders,
        count(*) filter (where is_offline) as offline_orders,
        cast(sum(net_amount) as decimal(18, 4)) as net_amount,
        cast(sum(returned_amount) + greatest(-sum(sold_amount), 0) as decimal(18, 4)) as returned_amount,
        cast(sum(units) as decimal(18, 4)) as units,
        cast(greatest(sum(amount_left), 0) as decimal(18, 4)) as amount_left,
        {{ amount_of('min(amount_key) filter (where is_order)') }} as first_order_amount,
        {{ amount_of('max(amount_key) filter (where is_order)') }} as last_order_amount,
        cast(max(greatest(amount_left, 0)) filter (where is_order) as decimal(18, 4)) as largest_order_amount

    from keyed_orders
    group by snapshot_date, customer_id, ordered_on

)
{% endmacro %}
