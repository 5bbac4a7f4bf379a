select
    metric
    , value
from {{ table | identifier }}
where
    session_id = {{ session_id | bind }}
    and workflow = {{ workflow | bind }}
    and evaluation_table = 'test'
    and value is not null
order by metric
