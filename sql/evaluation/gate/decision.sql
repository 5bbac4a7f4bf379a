-- What was decided about a session's candidate, and what it was compared with.
select distinct
    candidate,
    champion,
    decision,
    reason
from {{ table | identifier }}
where
    session_id = {{ session_id | bind }}
    and workflow = {{ workflow | bind }}
