-- Rows and their earlier states: how long after they happened they were recorded.
with states as (
    select
        recorded_at,
        {{ moment | identifier }} as happened_at
    from {{ table | identifier }}
    union all
    select
        recorded_at,
        {{ moment | identifier }}
    from {{ replaced | identifier }}
)

select
    count(*) as rows,
    count(*) filter (where recorded_at < happened_at - interval 1 day) as early_rows,
    quantile_cont(epoch(recorded_at - happened_at) / 86400, 0.5) as median_days,
    quantile_cont(epoch(recorded_at - happened_at) / 86400, 0.95) as high_days
from states
