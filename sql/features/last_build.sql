select
    version,
    read,
    made,
    scoring_day
from {{ builds | identifier }}
