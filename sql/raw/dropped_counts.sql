select
    file_position,
    count(*) as row_count
from dropped_rows
group by file_position
