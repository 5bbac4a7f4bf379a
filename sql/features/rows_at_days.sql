-- About how many customers the days know: those with enough orders by then, and one of them lately where that is asked for.
with days as (
    select unnest({{ days | bind }}::date[]) as day
),

{% if min_orders > 1 %}
orders as (
    select
        customer_id,
        min(ordered_on) as ordered_on
    from {{ orders_table | identifier }}
    where is_product and not is_return and amount >= 0
    group by customer_id, coalesce(order_id, concat_ws(':', file, row_number))
),

reached as (
    select
        customer_id,
        ordered_on as reached_on
    from orders
    qualify row_number() over (partition by customer_id order by ordered_on) = {{ min_orders | bind }}
){% else %}
reached as (
    select
        customer_id,
        min(ordered_on) as reached_on
    from {{ orders_table | identifier }}
    where is_product and not is_return and amount >= 0
    group by customer_id
){% endif %}{% if ordered_within_days is not none %},

recent as (
    select distinct
        days.day,
        orders.customer_id
    from {{ orders_table | identifier }} as orders
    inner join days
        on orders.ordered_on <= days.day
        and orders.ordered_on >= days.day - {{ ordered_within_days | bind }}::integer
    where orders.is_product and not orders.is_return and orders.amount >= 0
){% endif %}


select count(*) as row_count
from days
inner join reached on days.day >= reached.reached_on
{% if ordered_within_days is not none %}
semi join recent
    on days.day = recent.day
    and reached.customer_id = recent.customer_id
{% endif %}
