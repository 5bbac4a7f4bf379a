select
    customer_id,
    action,
    payload_hash
from {{ planned | identifier }}
where
    destination = {{ destination | bind }}
    and ({{ batch | bind }}::bigint is null or batch = {{ batch | bind }}::bigint)
order by customer_id
