-- Customers who were sent against those kept out, by the day that was published; of several sessions of a day one.
with known as (
    select
        *
        , row_number() over (partition by workflow, as_of, band order by session_id desc) as place
    from {{ table | identifier }}
    where as_of is not null
)

select
    workflow
    , as_of
    , dense_rank() over (partition by workflow order by as_of desc) as age
    , band
    , cast(treated as double) as treated
    , cast(control as double) as control
    , cast(difference as double) as difference
    , cast(low as double) as low
    , cast(high as double) as high
from known
where place = 1
order by workflow, as_of, band
