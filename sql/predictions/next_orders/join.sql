-- Customers scored with the histories that expectations are made of, joined once and read in parts that fit into memory.
create or replace temp table {{ table | identifier }} as
select
    scores.customer_id,
    scores.predicted_target,
    features.repeat_purchase_days,
    features.recency_days,
    features.tenure_days,
    features.mean_days_between_orders,
    features.stddev_days_between_orders,
    features.avg_repeat_day_value,
    md5_number_lower(scores.customer_id) as draw,
    -- Customers of equal histories are in one part, so that each history is computed once.
    hash(features.repeat_purchase_days, features.recency_days, features.tenure_days) % {{ parts | bind }} as part
from {{ scores | identifier }} as scores
inner join {{ features_table | identifier }} as features
    on scores.customer_id = features.customer_id
    and features.snapshot_date = {{ day | bind }}::date
-- A part is then read from its own blocks alone.
order by part
