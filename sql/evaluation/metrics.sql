-- What a session measured on one split.
select
    metric,
    value
from {{ table | identifier }}
where
    session_id = {{ session_id | bind }}
    and workflow = {{ workflow | bind }}
    and evaluation_table = {{ split | bind }}
