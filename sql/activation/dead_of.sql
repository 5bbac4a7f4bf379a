-- Earlier refusals of some customers' rows.
select
    customer_id,
    attempts,
    first_at
from {{ dead | identifier }}
where destination = {{ destination | bind }} and list_contains({{ customers | bind }}::varchar[], customer_id)
