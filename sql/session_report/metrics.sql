-- Measures per day, tested and realised; of several sessions at one day the given one's, else the one written last. What
-- became known only after the given day is left out.
with known as (
    select
        session_id
        , cast(as_of as date) as as_of
        , updated_at
    from {{ sessions_table | identifier }}
    where
        workflow = {{ workflow | bind }}
        and status is distinct from 'abandoned'
        and cast(as_of as date) > cast({{ as_of | bind }} as date) - {{ days | bind }}::integer
        and (session_id = {{ session_id | bind }} or cast(as_of as date) <= cast({{ as_of | bind }} as date))
)

, ranked as (
    select
        known.as_of
        , metrics.evaluation_table
        , metrics.metric
        , metrics.value
        , row_number() over (
            partition by known.as_of, metrics.evaluation_table, metrics.metric
            order by known.session_id = {{ session_id | bind }} desc, known.updated_at desc, known.session_id
        ) as place
    from {{ table | identifier }} as metrics
    inner join known on metrics.session_id = known.session_id
    where
        metrics.workflow = {{ workflow | bind }}
        and list_contains({{ metrics | bind }}, metrics.metric)
        and isfinite(metrics.value)
        and (
            metrics.evaluation_table = 'test'
            or (
                metrics.evaluation_table = 'realised'
                and known.as_of + {{ horizon_days | bind }}::integer <= cast({{ as_of | bind }} as date)
            )
        )
)

select
    as_of
    , evaluation_table
    , metric
    , value
from ranked
where place = 1
order by metric, evaluation_table, as_of
