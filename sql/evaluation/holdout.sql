-- In a fixed order: sums of doubles depend on it.
select
    holdout.customer_id,
    holdout.split,
    holdout.target,
    holdout.predicted_target,
    holdout.uncorrected_prediction,
    holdout.probability,
    features.total_spend,
    features.total_orders,
    features.days_since_last_order
from {{ holdout | identifier }} as holdout
inner join {{ features_table | identifier }} as features
    on holdout.snapshot_date = features.snapshot_date
    and holdout.customer_id = features.customer_id
order by holdout.split, holdout.snapshot_date, holdout.customer_id
