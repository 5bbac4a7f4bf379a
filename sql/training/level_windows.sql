-- Histories of the same customers as of earlier days, and what came in the window after each: days with an order, and net spend.
with customers as (
    select customer_id
    from {{ features_table | identifier }}
    where snapshot_date = {{ day | bind }}::date
    order by md5_number_lower(customer_id), customer_id
    limit {{ most | bind }}
),

windows as (
    select
        unnest({{ begins | bind }}::date[]) as begin_day,
        unnest({{ lengths | bind }}::integer[]) as days
),

{% if replaced_orders is defined and replaced_orders %}
{% include "features/parts/order_states.sql" %}
,

{% endif %}
order_days as (
    select
{% if replaced_orders is defined and replaced_orders %}
        begins.begin_day,
{% endif %}
        orders.customer_id,
        orders.ordered_on,
        -- The lines of which staging counts units above 0.
        coalesce(bool_or(orders.is_product and not orders.is_return and orders.amount >= 0), false) as has_order,
        sum(orders.amount)::double as amount
{% if replaced_orders is defined and replaced_orders %}
    from states as orders
    inner join (select distinct begin_day from windows) as begins
        on if(
            orders.ordered_on <= begins.begin_day,
            orders.recorded_on <= begins.begin_day and coalesce(orders.replaced_on > begins.begin_day, true),
            orders.replaced_on is null
        )
{% else %}
    from {{ orders_table | identifier }} as orders
{% endif %}
    inner join customers on orders.customer_id = customers.customer_id
    where orders.ordered_on <= {{ day | bind }}::date
    group by {% if replaced_orders is defined and replaced_orders %}begins.begin_day, {% endif %}orders.customer_id, orders.ordered_on
)

select
    windows.begin_day,
    (count(*) filter (where order_days.has_order and order_days.ordered_on <= windows.begin_day) - 1)::double as repeats,
    (
        max(order_days.ordered_on) filter (where order_days.has_order and order_days.ordered_on <= windows.begin_day)
        - min(order_days.ordered_on) filter (where order_days.has_order)
    )::double as recency,
    (windows.begin_day - min(order_days.ordered_on) filter (where order_days.has_order))::double as age,
    coalesce(sum(order_days.amount) filter (where order_days.ordered_on <= windows.begin_day), 0)
    - coalesce(arg_min(order_days.amount, order_days.ordered_on) filter (where order_days.has_order), 0) as repeat_amount,
    (
        count(*) filter (
            where order_days.has_order
                and order_days.ordered_on > windows.begin_day
                and order_days.ordered_on <= windows.begin_day + windows.days
        )
    )::double as orders,
    coalesce(sum(order_days.amount) filter (
        where order_days.ordered_on > windows.begin_day
            and order_days.ordered_on <= windows.begin_day + windows.days
    ), 0) as spend

from windows
inner join order_days on {% if replaced_orders is defined and replaced_orders %}windows.begin_day = order_days.begin_day{% else %}true{% endif %}

group by windows.begin_day, windows.days, order_days.customer_id
having min(order_days.ordered_on) filter (where order_days.has_order) <= windows.begin_day
order by windows.begin_day, order_days.customer_id
