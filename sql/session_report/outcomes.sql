-- What became of every workflow in one session.
select
    workflow
    , state
    , method
    , reason
    , remedy
    , needs_person
from {{ table | identifier }}
where session_id = {{ session_id | bind }}
order by workflow
