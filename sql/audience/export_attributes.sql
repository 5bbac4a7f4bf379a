select *
from {{ table | identifier }}
order by customer_id
