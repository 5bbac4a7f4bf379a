insert into dropped_rows
select
    staged_file_position as file_position,
    row_number,
    staged_reason as reason
from staged_rows
where staged_reason is not null
