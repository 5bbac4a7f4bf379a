select
    coalesce(sum(rows_read), 0) as rows_read
    , coalesce(sum(rows_rejected), 0) as rows_rejected
from {{ table | identifier }}
