select count(*) as row_count
from {{ table | identifier }}
where list_contains({{ customers | bind }}::varchar[], cast({{ column | identifier }} as varchar))
