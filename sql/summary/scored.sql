select count(distinct customer_id) as customers
from {{ table | identifier }}
where session_id = {{ session_id | bind }}
