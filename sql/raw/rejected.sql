select
    {{ table | bind }} as source,
    list_extract({{ files | bind }}::varchar[], staged_file_position + 1) as file,
    row_number,
    staged_reason as reason,
    staged_content as content,
    {{ session_id | bind }} as session_id
from staged_rows
where staged_reason is not null
