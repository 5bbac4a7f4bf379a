select
    customer_id,
    action
from {{ planned | identifier }}
where destination = {{ destination | bind }} and batch = {{ batch | bind }}
order by customer_id
