select split, count(*) as row_count
from {{ table | identifier }}
group by split
order by split
