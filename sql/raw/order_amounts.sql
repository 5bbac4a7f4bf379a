{# What each accepted line holds of its order's total and refund: their sums over an order are these to the last digit. #}
create or replace temp table order_amounts as
with
kept as (
    select
        staged.staged_file_position as file_position,
        staged.row_number as line_number,
        staged.staged_order_group as order_group,
        staged.customer_id,
        staged.product_id,
        staged.amount,
        staged.ordered_at,
        {% if has_refunds %}staged.staged_refund{% else %}cast(null as decimal(18, 4)){% endif %} as refund,
        cast(abs(staged.quantity) as double) as units,
        greatest(cast(abs(staged.quantity) * staged.unit_price as double), 0) as line_value
    from staged_rows as staged
    anti join dropped_rows as dropped
        on staged.staged_file_position = dropped.file_position and staged.row_number = dropped.row_number
    where staged.staged_reason is null
),
parted as (
    select
        *,
        -- Stores may number their orders alike: other customers with other totals or at other times have other orders.
        case
            when min(customer_id) over in_group <> max(customer_id) over in_group
                and (
                    min(amount) over in_group <> max(amount) over in_group
                    or min(ordered_at) over in_group <> max(ordered_at) over in_group
                )
                then customer_id
        end as party
    from kept
    window in_group as (partition by order_group)
),
orders as (
    select
        *,
        -- The latest total that the files give for the order.
        last_value(amount) over in_order as order_amount,
        last_value(refund ignore nulls) over in_order as order_refund,
        count(*) over in_order as line_count,
{% if amount_level == "order" %}
        coalesce(sum(line_value) over in_order, 0) as order_value,
        coalesce(sum(units) over in_order, 0) as order_units
{% else %}
        greatest(cast(amount as double), 0) as line_amount,
        coalesce(sum(greatest(cast(amount as double), 0)) over in_order, 0) as order_value
{% endif %}
    from parted
    window in_order as (
        partition by order_group, party order by file_position, line_number
        rows between unbounded preceding and unbounded following
    )
),
weighted as (
    select
        *,
        cast(
            {% if amount_level == "order" %}order_amount{% else %}0{% endif %}

            - {% if refund_level == "order" %}coalesce(order_refund, 0){% else %}0{% endif %}

            as decimal(18, 4)
        ) as pool,
        case
{% if amount_level == "order" %}
            when order_value > 0 then coalesce(line_value, 0) / order_value
            when order_units > 0 then coalesce(units, 0) / order_units
{% else %}
            when order_value > 0 then line_amount / order_value
{% endif %}
            else 1.0 / line_count
        end as weight
    from orders
),
shared as (
    select
        *,
        cast(round(cast(pool as double) * weight, 4) as decimal(18, 4)) as share
    from weighted
),
settled as (
    select
        *,
        -- What rounding leaves over goes to the largest share.
        case
            when row_number() over (partition by order_group, party order by weight desc, product_id, file_position, line_number) = 1
                then pool - sum(share) over (partition by order_group, party)
            else 0
        end as remainder
    from shared
)
select
    file_position,
    line_number as row_number,
    cast(
        {% if amount_level == "line" %}amount{% else %}0{% endif %} + share + remainder
        - {% if refund_level == "line" %}coalesce(refund, 0){% else %}0{% endif %} as decimal(18, 4)
    ) as amount
from settled
