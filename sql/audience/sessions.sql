-- The predictions to publish: the given session's if it scored this workflow, else those standing at the latest day up
-- to the given one; of several such sessions the one written last (row ids grow with every insert).
with sessions as (
    select
        session_id
        , max(as_of) as as_of
        , max(rowid) as last_row
    from {{ table | identifier }}
    group by session_id
)

select
    session_id
    , cast(as_of as date) as as_of
from sessions
where session_id = {{ session_id | bind }} or cast(as_of as date) <= cast({{ as_of | bind }} as date)
order by session_id = {{ session_id | bind }} desc, as_of desc, last_row desc
limit 1
