select distinct snapshot_date
from {{ snapshots | identifier }}
order by snapshot_date
