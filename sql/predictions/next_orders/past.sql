-- Histories of the same customers as of earlier days, and the days with an order in each horizon after them that has ended.
with customers as (
    select customer_id
    from {{ features_table | identifier }}
    where snapshot_date = {{ day | bind }}::date
    order by md5_number_lower(customer_id), customer_id
    limit {{ most | bind }}
),

ages as (
    select unnest({{ days_ago | bind }}::integer[]) as days_ago
),

cuts as (
    select
        days_ago,
        {{ day | bind }}::date - days_ago as cut
    from ages
),

{% if replaced_orders is defined and replaced_orders %}
{% include "features/parts/order_states.sql" %}
,

{% endif %}
order_days as (
    select distinct
{% if replaced_orders is defined and replaced_orders %}
        cuts.cut,
{% endif %}
        orders.customer_id,
        orders.ordered_on
{% if replaced_orders is defined and replaced_orders %}
    from states as orders
    inner join cuts
        on if(
            orders.ordered_on <= cuts.cut,
            orders.recorded_on <= cuts.cut and coalesce(orders.replaced_on > cuts.cut, true),
            orders.replaced_on is null
        )
{% else %}
    from {{ orders_table | identifier }} as orders
{% endif %}
    inner join customers on orders.customer_id = customers.customer_id
    -- The lines of which staging counts units above 0.
    where orders.is_product
        and not orders.is_return
        and orders.amount >= 0
        and orders.ordered_on <= {{ day | bind }}::date
)

select
    cuts.days_ago,
    count(*) filter (where order_days.ordered_on <= cuts.cut) - 1 as repeats,
    max(order_days.ordered_on) filter (where order_days.ordered_on <= cuts.cut) - min(order_days.ordered_on) as recency,
    cuts.cut - min(order_days.ordered_on) as age{% for horizon in horizons %},
    count(*) filter (
        where order_days.ordered_on > cuts.cut
            and order_days.ordered_on <= cuts.cut + {{ horizon | bind }}::integer
    ) as {{ ("orders_" ~ horizon) | identifier }}
{%- endfor %}

from cuts
inner join order_days on {% if replaced_orders is defined and replaced_orders %}cuts.cut = order_days.cut{% else %}true{% endif %}

group by cuts.days_ago, cuts.cut, order_days.customer_id
having min(order_days.ordered_on) <= cuts.cut
order by cuts.days_ago, order_days.customer_id
