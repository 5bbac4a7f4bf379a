select *
from {{ statuses | identifier }}
order by row_count desc, order_status, meaning
