select
    count(*) as customers,
    count(*) filter (where customer_id is null) as without_id,
    coalesce(sum(row_count), 0) as row_count,
    coalesce(sum(content), 0) as content
from {{ read | identifier }}
