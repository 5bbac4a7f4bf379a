select
    snapshot_date,
    split,
    count(*) as row_count,
    count(distinct customer_id) as customers,
    count(distinct product_id) as products
from {{ table | identifier }}
group by snapshot_date, split
order by snapshot_date asc, split asc
