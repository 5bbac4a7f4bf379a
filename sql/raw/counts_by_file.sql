select
    file,
    count(*) as row_count
from {{ table | identifier }}
where source = {{ source | bind }}
group by file
