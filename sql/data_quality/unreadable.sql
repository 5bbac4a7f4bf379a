-- Rows of a source that could not be read, by reason.
select
    reason,
    count(*) as row_count
from {{ rejected | identifier }}
where source = {{ source | bind }} and list_contains({{ reasons | bind }}, reason)
group by reason
