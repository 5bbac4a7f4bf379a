-- What became of each workflow in one session.
select
    workflow,
    state,
    method,
    reason,
    remedy,
    needs_person
from {{ outcomes | identifier }}
where session_id = {{ session_id | bind }}
order by workflow
