-- Rows of a batch as the destination holds them now.
select
    destination,
    customer_id,
    row_hash,
    {{ session_id | bind }} as session_id,
    {{ now | bind }}::timestamp as "at"
from {{ planned | identifier }}
where
    destination = {{ destination | bind }}
    and ({{ batch | bind }}::bigint is null or batch = {{ batch | bind }}::bigint)
    and action <> 'removed'
    and not list_contains({{ unmarked | bind }}::varchar[], customer_id)
