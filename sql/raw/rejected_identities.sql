-- Rows of the identities that say nothing, as rejected rows.
select
    'identities' as source,
    file,
    line_number as row_number,
    reason,
    content,
    {{ session_id | bind }} as session_id
from identity_rows
where reason is not null
