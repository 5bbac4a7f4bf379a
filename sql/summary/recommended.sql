select
    count(distinct customer_id) as customers,
    max(rank) as ranks,
    count(distinct product_id) as products
from {{ table | identifier }}
where session_id = {{ session_id | bind }}
