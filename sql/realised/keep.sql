-- The predictions of the same customers in every session, with what the naive forecasts go by.
with kept as (
    select
        customer_id,
        {{ prediction | identifier }} as predicted_target
    from {{ predictions_table | identifier }}
    order by md5_number_lower('keep:' || customer_id), customer_id
    limit {{ customers | bind }}
)

select
    {{ session_id | bind }} as session_id,
    {{ as_of | bind }}::date as as_of,
    {{ model_version | bind }} as model_version,
    {{ target | bind }} as target,
    kept.customer_id,
    kept.predicted_target,
    features.total_spend,
    features.total_orders,
    features.days_since_last_order
from kept
inner join {{ features_table | identifier }} as features on kept.customer_id = features.customer_id
where features.snapshot_date = {{ as_of | bind }}::date
order by kept.customer_id
