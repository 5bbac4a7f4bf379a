select max(ordered_on) as last_order_day
from {{ orders | identifier }}
