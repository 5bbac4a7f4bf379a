-- Rows of the identities, those that say nothing, and the first of these.
select
    count(*) as row_count,
    count(reason) as wrong_count,
    min_by(file, (file_position, line_number)) filter (where reason is not null) as file,
    min_by(line_number, (file_position, line_number)) filter (where reason is not null) as line_number
from identity_rows
