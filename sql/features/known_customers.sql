select count(distinct customer_id) as customers
from {{ orders_table | identifier }}
where ordered_on <= {{ last_day | bind }}::date
