-- Treated against control customers, as the latest session that measured them has them.
with known as (
    select
        lift.*
        , cast(sessions.as_of as date) as as_of
        , dense_rank() over (
            partition by lift.workflow
            order by cast(sessions.as_of as date) desc, sessions.updated_at desc
        ) as age
    from {{ table | identifier }} as lift
    inner join {{ sessions | identifier }} as sessions
        on lift.session_id = sessions.session_id and lift.workflow = sessions.workflow
)

select
    workflow
    , as_of
    , age
    , band
    , cast(treated as double) as treated
    , cast(control as double) as control
    , cast(difference as double) as difference
    , cast(low as double) as low
    , cast(high as double) as high
from known
order by workflow, as_of, band
