-- Destinations that hold a customer.
select distinct destination
from {{ state | identifier }}
where customer_id = {{ customer | bind }}
order by destination
