-- Rows of the identities that say nothing: how many, and the first.
select
    count(*) over () as row_count,
    file_position,
    line_number
from identity_rows
where old_id is null or person is null or is_wrong_time
order by file_position, line_number
limit 1
