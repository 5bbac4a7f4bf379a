-- The columns that lie farthest from the reference in one session or moved farthest since the session before, in all the
-- given sessions.
with ranked as (
    select
        kind
        , column_name
        , row_number() over (
            order by
                coalesce(list_contains({{ without_alarm | bind }}, status), true)
                , severity desc nulls last
                , psi desc nulls last
                , column_name
        ) as far
        , row_number() over (order by psi_previous desc nulls last, column_name) as moved
    from {{ table | identifier }}
    where workflow = {{ workflow | bind }} and session_id = {{ session_id | bind }}
)

select
    drift.session_id
    , drift.kind
    , drift.column_name
    , drift.avg_val
    , drift.avg_ref
    , drift.kld
    , drift.kld_log
    , drift.psi
    , drift.psi_previous
    , drift.z
    , drift.null_share
    , drift.null_share_ref
    , drift.status
    , ranked.far
    , ranked.moved
from {{ table | identifier }} as drift
inner join ranked on drift.kind = ranked.kind and drift.column_name = ranked.column_name
where
    drift.workflow = {{ workflow | bind }}
    and list_contains({{ session_ids | bind }}, drift.session_id)
    and (ranked.far <= {{ farthest | bind }} or ranked.moved <= {{ moved | bind }})
order by ranked.far, drift.session_id
