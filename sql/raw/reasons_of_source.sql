select
    reason,
    count(*) as row_count
from {{ rejected | identifier }}
where source = {{ source | bind }}
group by reason
order by row_count desc, reason
