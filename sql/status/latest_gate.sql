-- What became of the candidate of the latest session that compared one, per workflow.
select
    gate.workflow,
    max_by(gate.decision, sessions.updated_at) as decision,
    max_by(gate.candidate, sessions.updated_at) as candidate,
    max_by(gate.reason, sessions.updated_at) as reason,
    max_by(sessions.as_of, sessions.updated_at) as as_of
from {{ gate | identifier }} as gate
inner join {{ sessions | identifier }} as sessions
    on gate.session_id = sessions.session_id and gate.workflow = sessions.workflow
where sessions.status is distinct from 'abandoned'
group by gate.workflow
