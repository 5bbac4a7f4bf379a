-- The files that the orders came from, and when they were loaded.
select
    count(*) as files,
    sum(rows_accepted) as rows_accepted,
    sum(rows_rejected) as rows_rejected,
    max(committed_at) as loaded_at
from {{ loads | identifier }}
where source = 'orders'
