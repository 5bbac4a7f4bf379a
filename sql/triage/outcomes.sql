-- What became of the workflows of a session.
select
    session_id,
    workflow,
    state,
    stopped_at,
    error,
    needs_person
from {{ table | identifier }}
where session_id = {{ session_id | bind }}
order by workflow
