-- The day customers are scored at, and whether it is the only one.
select
    max(snapshot_date) filter (where is_scoring) as scoring_day,
    count(*) = 1 and coalesce(bool_and(is_scoring), false) and coalesce(min(customer_share), 1) >= 1 as is_alone
from {{ snapshots | identifier }}
