-- The latest session of each workflow that got as far as scoring; if none did, the latest of all. None that was killed.
select
    workflow,
    session_id,
    as_of,
    model_version,
    status
from {{ sessions | identifier }}
where status is distinct from 'abandoned'
qualify row_number() over (
    partition by workflow
    order by coalesce(status in ('scored', 'published'), false) desc, updated_at desc, session_id
) = 1
