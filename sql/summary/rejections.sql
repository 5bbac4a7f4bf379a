select
    reason
    , count(*) as row_count
from {{ table | identifier }}
group by reason
order by row_count desc, reason
limit {{ most | bind }}
