-- Lines of a source that were set aside for what is in them, by reason.
select
    reason,
    count(*) as row_count
from {{ rejected | identifier }}
where source = {{ source | bind }} and not list_contains({{ harmless | bind }}, reason)
group by reason
order by row_count desc, reason
