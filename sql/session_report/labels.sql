select
    session_id
    , prediction_category
    , "count"
from {{ table | identifier }}
where workflow = {{ workflow | bind }} and list_contains({{ session_ids | bind }}, session_id)
order by "count" desc, prediction_category
