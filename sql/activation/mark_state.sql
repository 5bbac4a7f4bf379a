-- Rows of acknowledged batches as the destination holds them now.
select
    planned.destination,
    planned.customer_id,
    planned.row_hash,
    acknowledged.session_id,
    acknowledged."at"
from {{ planned | identifier }} as planned
inner join {{ acknowledged | identifier }} as acknowledged
    on planned.destination = acknowledged.destination and planned.batch = acknowledged.batch
where
    planned.destination = {{ destination | bind }}
    and planned.action <> 'removed'
    and not list_contains({{ unmarked | bind }}::varchar[], planned.customer_id)
