-- The session written last, over all workflows.
select
    session_id,
    as_of,
    max(updated_at) as updated_at
from {{ sessions | identifier }}
where status is distinct from 'abandoned'
group by session_id, as_of
order by updated_at desc, session_id
limit 1
