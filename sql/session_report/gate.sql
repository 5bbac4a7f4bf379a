-- The latest comparison of a candidate with the champion up to the given session.
with compared as (
    select
        gate.session_id
        , cast(sessions.as_of as date) as as_of
        , sessions.updated_at
    from {{ table | identifier }} as gate
    inner join {{ sessions_table | identifier }} as sessions
        on gate.session_id = sessions.session_id and gate.workflow = sessions.workflow
    where
        gate.workflow = {{ workflow | bind }}
        and (
            gate.session_id = {{ session_id | bind }}
            or cast(sessions.as_of as date) <= cast({{ as_of | bind }} as date)
        )
)

, latest as (
    select
        session_id
        , as_of
        , updated_at
    from compared
    order by session_id = {{ session_id | bind }} desc, as_of desc, updated_at desc, session_id
    limit 1
)

select
    latest.session_id
    , latest.as_of
    , gate.candidate
    , gate.champion
    , gate.metric
    , gate.slice
    , gate.customers
    , gate.candidate_value
    , gate.champion_value
    , gate.difference
    , gate.low
    , gate.high
    , gate.passed
    , gate.decision
    , gate.reason
    , exists(
        select 1
        from {{ sessions_table | identifier }} as earlier
        where
            earlier.workflow = gate.workflow
            and earlier.model_version = gate.candidate
            and earlier.updated_at < latest.updated_at
            and earlier.session_id <> latest.session_id
    ) as was_made_before
from {{ table | identifier }} as gate
inner join latest on gate.session_id = latest.session_id
where gate.workflow = {{ workflow | bind }}
order by gate.slice <> 'all', gate.metric, gate.slice
