-- Of a source with several files the one with most rows that could not be read, where these are most of its rows.
with unread as (
    select
        file,
        count(*) as row_count
    from {{ rejected | identifier }}
    where source = {{ source | bind }} and list_contains({{ reasons | bind }}, reason)
    group by file
)

select
    loads.file,
    loads.rows_read as file_rows,
    unread.row_count as file_unreadable
from {{ loads | identifier }} as loads
inner join unread on loads.file = unread.file
where
    loads.source = {{ source | bind }}
    and unread.row_count >= {{ least | bind }}
    and unread.row_count > {{ share | bind }} * loads.rows_read
    and (select count(*) from {{ loads | identifier }} as others where others.source = {{ source | bind }}) > 1
order by 3 desc, 1
limit 1
