select metric, value
from {{ table | identifier }}
where
    session_id = {{ session_id | bind }}
    and workflow = {{ workflow | bind }}
    and evaluation_table = {{ evaluation_table | bind }}
