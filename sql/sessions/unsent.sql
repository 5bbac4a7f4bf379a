-- Destinations whose last sync of a session was not wholly taken.
with latest as (
    select
        destination,
        status,
        failed,
        row_number() over (partition by destination order by started_at desc, sync_id) as place
    from {{ runs | identifier }}
    where session_id = {{ session_id | bind }}
)

select count(*) as destinations
from latest
where place = 1 and (status <> 'succeeded' or coalesce(failed, 0) > 0)
