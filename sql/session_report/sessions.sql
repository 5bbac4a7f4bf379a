-- Sessions up to the given one, one a day: of several at one day the given one, else the one written last.
with known as (
    select
        session_id
        , cast(as_of as date) as as_of
        , engine
        , model_version
        , status
        , note
        , updated_at
    from {{ table | identifier }}
    where
        workflow = {{ workflow | bind }}
        and status is distinct from 'abandoned'
        and (session_id = {{ session_id | bind }} or cast(as_of as date) <= cast({{ as_of | bind }} as date))
)

, ranked as (
    select
        *
        , row_number() over (
            partition by as_of
            order by session_id = {{ session_id | bind }} desc, updated_at desc, session_id
        ) as place
    from known
)

select
    session_id
    , as_of
    , engine
    , model_version
    , status
    , note
from ranked
where place = 1
order by as_of desc
limit {{ limit | bind }}
