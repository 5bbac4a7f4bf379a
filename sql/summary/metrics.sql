-- Test metrics of the model that scored. The first session with its version trained it; a later one that kept it may have
-- measured a candidate that was held.
with measured as (
    select
        metrics.metric
        , metrics.value
        , dense_rank() over (order by sessions.updated_at, metrics.session_id) as session_rank
    from {{ metrics | identifier }} as metrics
    inner join {{ sessions | identifier }} as sessions
        on metrics.session_id = sessions.session_id and metrics.workflow = sessions.workflow
    where
        metrics.workflow = {{ workflow | bind }}
        and metrics.evaluation_table = 'test'
        and sessions.model_version = {{ model_version | bind }}
)

select
    metric
    , value
from measured
where session_rank = 1
order by metric
