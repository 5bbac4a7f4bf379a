-- Whom a swap removed.
select
    state.destination,
    state.customer_id,
    'removed' as action,
    {{ session_id | bind }} as session_id,
    {{ now | bind }}::timestamp as "at"
from {{ state | identifier }} as state
where
    state.destination = {{ destination | bind }}
    and not exists (
        select 1 from {{ planned | identifier }} as planned
        where planned.destination = {{ destination | bind }} and planned.customer_id = state.customer_id
    )
