-- How far each group lies from all customers, in standard deviations of logarithms: orders, days since the last order, spend.
{% set figures = ("frequency", "silence", "spend") %}
with customers as (
    select
        scores.predicted_target::integer as cluster,
        ln(1 + greatest(features.total_orders, 0)) as frequency,
        ln(1 + greatest(features.days_since_last_order, 0)) as silence,
        ln(1 + greatest(features.total_spend, 0)) as spend
    from {{ scores | identifier }} as scores
    inner join {{ features_table | identifier }} as features
        on scores.customer_id = features.customer_id
    where features.snapshot_date = {{ day | bind }}::date
),

everybody as (
    select
        {% for figure in figures %}
        avg({{ figure | identifier }}) as {{ ("mean_" ~ figure) | identifier }},
        nullif(stddev_pop({{ figure | identifier }}), 0) as {{ ("sd_" ~ figure) | identifier }}{% if not loop.last %},{% endif %}

        {% endfor %}
    from customers
)

select
    customers.cluster{% for figure in figures %},
    (avg(customers.{{ figure | identifier }}) - any_value(everybody.{{ ("mean_" ~ figure) | identifier }}))
    / any_value(everybody.{{ ("sd_" ~ figure) | identifier }}) as {{ figure | identifier }}
{%- endfor %}

from customers
cross join everybody
group by customers.cluster
order by customers.cluster
