-- Rows read from all sources.
select coalesce(sum(rows_read), 0) as rows_read
from {{ loads | identifier }}
