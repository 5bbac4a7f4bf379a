select
    source,
    reason,
    count(*) as row_count
from {{ rejected | identifier }}
group by source, reason
order by source, row_count desc, reason
