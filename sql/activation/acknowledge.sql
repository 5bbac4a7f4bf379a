-- A batch, every batch where it is NULL, that was acknowledged.
select
    destination,
    batch,
    {{ session_id | bind }} as session_id,
    {{ now | bind }}::timestamp as "at"
from {{ planned | identifier }}
where
    destination = {{ destination | bind }}
    and ({{ batch | bind }}::bigint is null or batch = {{ batch | bind }}::bigint)
group by destination, batch
