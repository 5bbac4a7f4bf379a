-- The sync before: the last that read the source and was not refused.
select source_rows
from {{ runs | identifier }}
where destination = {{ destination | bind }} and list_contains(['succeeded', 'degraded'], status)
order by started_at desc, sync_id
limit 1
