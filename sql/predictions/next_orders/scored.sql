-- Customers scored with the histories that expectations are made of, in parts that fit into memory.
select
    scores.customer_id,
    scores.predicted_target,
    features.repeat_purchase_days,
    features.recency_days,
    features.tenure_days,
    features.mean_days_between_orders,
    features.stddev_days_between_orders,
    features.avg_repeat_day_value
from {{ scores | identifier }} as scores
inner join {{ features_table | identifier }} as features
    on scores.customer_id = features.customer_id
    and features.snapshot_date = {{ day | bind }}::date
where md5_number_lower(scores.customer_id) % {{ parts | bind }} = {{ part | bind }}
{% if most is not none %}
order by md5_number_lower(scores.customer_id), scores.customer_id
limit {{ most | bind }}
{% endif %}
