-- What became of a workflow in the session that was written last.
select outcomes.*
from {{ outcomes | identifier }} as outcomes
where
    outcomes.workflow = {{ workflow | bind }}
    and outcomes.session_id = (
        select sessions.session_id
        from {{ sessions | identifier }} as sessions
        where sessions.workflow = {{ workflow | bind }}
        order by sessions.updated_at desc, sessions.session_id asc
        limit 1
    )
