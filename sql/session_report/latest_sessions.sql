-- The latest session of every workflow, of those at the latest day the one written last; the latest of all comes first.
with ranked as (
    select
        workflow
        , session_id
        , run_id
        , cast(as_of as date) as as_of
        , status
        , updated_at
        , row_number() over (
            partition by workflow
            order by cast(as_of as date) desc, updated_at desc nulls last, session_id
        ) as place
    from {{ table | identifier }}
    where status is distinct from 'abandoned' and as_of is not null
)

select
    workflow
    , session_id
    , run_id
    , as_of
    , status
    , updated_at
from ranked
where place = 1
order by as_of desc, updated_at desc nulls last, workflow
