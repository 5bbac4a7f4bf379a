-- The session that trained the model: the first with its version. A later one that kept the model may have measured a
-- candidate that was held.
select
    metrics.session_id
    , cast(sessions.as_of as date) as as_of
from {{ metrics | identifier }} as metrics
inner join {{ sessions | identifier }} as sessions
    on metrics.session_id = sessions.session_id and metrics.workflow = sessions.workflow
where
    metrics.workflow = {{ workflow | bind }}
    and metrics.evaluation_table = 'test'
    and sessions.model_version = {{ model_version | bind }}
order by
    sessions.updated_at
    , metrics.session_id
limit 1
