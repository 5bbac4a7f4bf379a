select customer_id
from (select distinct customer_id from {{ orders | identifier }}) as customers
order by md5(customer_id), customer_id
limit {{ count | bind }}
