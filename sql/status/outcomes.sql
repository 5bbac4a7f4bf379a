-- What became of each workflow in one session.
select
    workflow,
    state,
    method,
    reason,
    remedy
from {{ outcomes | identifier }}
where session_id = {{ session_id | bind }}
order by workflow
