select
    count(*) as row_count,
    count(distinct customer_id) as customers,
    count_if(not isfinite(predicted_target) or predicted_target < 0) as impossible,
    sum(predicted_target) as expected_total,
    (
        select count(*)
        from {{ features_table | identifier }}
        where snapshot_date = (select max(snapshot_date) from {{ snapshots_table | identifier }} where is_scoring)
    ) as known_customers
from {{ table | identifier }}
