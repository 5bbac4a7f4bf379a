-- In a fixed order: sums of doubles depend on it.
{% if orders_table is not none %}
with {% if replaced_orders is defined and replaced_orders %}{% include "features/parts/order_states.sql" %},
{% endif %}
recent as (
    select
        days.snapshot_date,
        orders.customer_id,
        sum(orders.amount) as spend
    from (
        select distinct snapshot_date
        from {{ holdout | identifier }}
        where split = 'test'
    ) as days
    inner join {% if replaced_orders is defined and replaced_orders %}states{% else %}{{ orders_table | identifier }}{% endif %} as orders
        on orders.ordered_on > days.snapshot_date - {{ horizon_days | bind }}::integer
        and orders.ordered_on <= days.snapshot_date
{% if replaced_orders is defined and replaced_orders %}
        and orders.recorded_on <= days.snapshot_date
        and coalesce(orders.replaced_on > days.snapshot_date, true)
{% endif %}
    group by days.snapshot_date, orders.customer_id
)

{% endif %}
select
    holdout.customer_id,
    holdout.split,
    holdout.target,
    holdout.predicted_target,
    holdout.uncorrected_prediction,
    holdout.probability,
    features.total_spend,
    features.total_orders,
    features.days_since_last_order{% if orders_table is not none %},
    coalesce(recent.spend, 0)::double as recent_spend
{%- endif %}

from {{ holdout | identifier }} as holdout
inner join {{ features_table | identifier }} as features
    on holdout.snapshot_date = features.snapshot_date
    and holdout.customer_id = features.customer_id
{% if orders_table is not none %}
left join recent
    on holdout.snapshot_date = recent.snapshot_date
    and holdout.customer_id = recent.customer_id
{% endif %}
order by holdout.split, holdout.snapshot_date, holdout.customer_id
