select
    cluster,
    segment_name
from {{ table | identifier }}
order by cluster
