-- Customers of whose next orders nothing is known.
select customer_id
from {{ scores | identifier }}
order by customer_id
