select
    snapshot_date,
    customer_id
from {{ view | identifier }}
