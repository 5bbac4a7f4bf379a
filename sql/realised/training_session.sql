-- Measures of the train split of the session that trained a model: the first session with its version.
with trained as (
    select
        metrics.session_id,
        metrics.metric,
        metrics.value,
        dense_rank() over (order by sessions.updated_at, sessions.session_id) as place
    from {{ metrics | identifier }} as metrics
    inner join {{ sessions | identifier }} as sessions
        on metrics.session_id = sessions.session_id
        and metrics.workflow = sessions.workflow
    where
        metrics.workflow = {{ workflow | bind }}
        and metrics.evaluation_table = 'train'
        and sessions.model_version = {{ model_version | bind }}
)

select
    metric,
    value
from trained
where place = 1
order by metric
