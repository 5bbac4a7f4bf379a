-- What became of the predictions of every day, next to what the test of the same model had promised. Of several sessions of a
-- day the latest; the session that trained a model is the first with its version.
with realised as (
    select
        sessions.as_of,
        sessions.session_id,
        sessions.model_version,
        max(metrics.value) filter (where metrics.metric = 'rows') as customers,
        max(metrics.value) filter (where metrics.metric = {{ predicted | bind }}) as mean_predicted,
        max(metrics.value) filter (where metrics.metric = {{ actual | bind }}) as mean_actual,
        max(metrics.value) filter (where metrics.metric = {{ error | bind }}) as realised,
        max(metrics.value) filter (where metrics.metric = {{ naive | bind }}) as naive
    from {{ metrics | identifier }} as metrics
    inner join {{ sessions | identifier }} as sessions
        on metrics.session_id = sessions.session_id
        and metrics.workflow = sessions.workflow
    where
        metrics.workflow = {{ workflow | bind }}
        and metrics.evaluation_table = 'realised'
    group by sessions.as_of, sessions.session_id, sessions.model_version, sessions.updated_at
    qualify row_number() over (partition by sessions.as_of order by sessions.updated_at desc, sessions.session_id) = 1
),

tested as (
    select
        sessions.model_version,
        max(metrics.value) filter (where metrics.metric = {{ error | bind }}) as tested,
        max(metrics.value) filter (where metrics.metric = {{ error | bind }} || '_low') as low,
        max(metrics.value) filter (where metrics.metric = {{ error | bind }} || '_high') as high
    from {{ metrics | identifier }} as metrics
    inner join {{ sessions | identifier }} as sessions
        on metrics.session_id = sessions.session_id
        and metrics.workflow = sessions.workflow
    where
        metrics.workflow = {{ workflow | bind }}
        and metrics.evaluation_table = 'test'
    group by sessions.model_version, sessions.session_id, sessions.updated_at
    qualify
        row_number() over (partition by sessions.model_version order by sessions.updated_at, sessions.session_id) = 1
)

select
    realised.*,
    tested.tested,
    tested.low,
    tested.high
from realised
left join tested on realised.model_version = tested.model_version
order by realised.as_of
