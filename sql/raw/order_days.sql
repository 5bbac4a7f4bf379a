select
    ordered_on as day,
    count(*) as line_count
from {{ orders | identifier }}
group by ordered_on
order by ordered_on
