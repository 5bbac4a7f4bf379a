-- Labelled snapshots as they were compared with the same model and rows.
select
    day,
    customers,
    predicted,
    actual,
    gap,
    variance,
    slope
from {{ table | identifier }}
where identity = {{ identity | bind }}
order by day
