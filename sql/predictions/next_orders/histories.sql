-- Histories of customers of one day, the same ones in every session: those with the smallest hash.
select
    repeat_purchase_days,
    recency_days,
    tenure_days,
    mean_days_between_orders,
    stddev_days_between_orders,
    avg_repeat_day_value
from {{ features_table | identifier }}
where snapshot_date = {{ day | bind }}::date
order by md5_number_lower(customer_id), customer_id
limit {{ most | bind }}
