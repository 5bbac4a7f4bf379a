select count(*) - count(distinct customer_id) as duplicates
from {{ attributes_table | identifier }}
