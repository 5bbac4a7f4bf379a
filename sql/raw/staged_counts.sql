select
    staged_file_position as file_position,
    count(*) as row_count
from staged_rows
group by staged_file_position
