-- What became of every workflow in the session that was written last.
select outcomes.*
from {{ outcomes | identifier }} as outcomes
where outcomes.session_id = (
    select sessions.session_id
    from {{ sessions | identifier }} as sessions
    order by sessions.updated_at desc, sessions.session_id asc
    limit 1
)
order by outcomes.workflow
