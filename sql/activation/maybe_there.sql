-- Customers of batches that were not acknowledged: sent or not, nobody knows.
select
    planned.destination,
    planned.customer_id,
    cast(null as hugeint) as row_hash,
    'unknown' as session_id,
    {{ now | bind }}::timestamp as "at"
from {{ planned | identifier }} as planned
where
    list_contains({{ customers | bind }}::varchar[], planned.customer_id)
    and planned.action <> 'removed'
    and not exists (
        select 1 from {{ state | identifier }} as state
        where state.destination = planned.destination and state.customer_id = planned.customer_id
    )
