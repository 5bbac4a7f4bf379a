select
    split,
    snapshot_date,
    count(*) as customers,
    count_if(target > 0) as positives,
    avg(target) as mean_target
from {{ table | identifier }}
group by split, snapshot_date
order by snapshot_date, split
