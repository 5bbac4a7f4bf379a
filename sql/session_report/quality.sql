-- Checks that can alarm: what is only noted for the next session has no bound.
select
    check_name
    , source
    , value
    , expected
    , bound
    , status
    , sentence
from {{ table | identifier }}
where session_id = {{ session_id | bind }} and (bound is not null or status is distinct from 'ok')
order by
    list_position(['alarm', 'accepted', 'note', 'ok', 'too_little'], status) nulls first
    , check_name
    , source
