select count(*) as row_count
from {{ table | identifier }}
where cast(customer_id as varchar) = {{ customer | bind }}
