select {{ column | identifier }}
from {{ table | identifier }}
order by md5_number_lower(customer_id), customer_id
limit {{ rows | bind }}
