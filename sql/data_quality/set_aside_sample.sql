-- Some of them, from anywhere in the files and the same ones each time.
select
    reason,
    content
from {{ rejected | identifier }}
where source = {{ source | bind }} and not list_contains({{ meant | bind }}, reason)
order by hash(file, row_number), file, row_number
limit {{ most | bind }}
