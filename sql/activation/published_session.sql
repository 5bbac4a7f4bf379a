-- The session whose attributes are published.
select
    session_id,
    max(as_of) as as_of,
    max(updated_at) as updated_at
from {{ sessions | identifier }}
where list_contains(['published', 'fallback', 'kept', 'off', 'failed'], status)
group by session_id
having count(*) filter (where list_contains(['published', 'fallback', 'kept'], status)) > 0
order by updated_at desc, session_id
limit 1
