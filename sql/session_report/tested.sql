select
    metric
    , value
from {{ table | identifier }}
where
    workflow = {{ workflow | bind }}
    and session_id = {{ session_id | bind }}
    and evaluation_table = 'test'
    and isfinite(value)
