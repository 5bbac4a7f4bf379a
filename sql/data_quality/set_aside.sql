-- Rows of a source that were set aside, by reason.
select
    reason,
    count(*) as row_count
from {{ rejected | identifier }}
where source = {{ source | bind }} and not list_contains({{ meant | bind }}, reason)
group by reason
order by row_count desc, reason
