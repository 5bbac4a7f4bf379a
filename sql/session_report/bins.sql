select
    column_name
    , counts
from {{ table | identifier }}
where workflow = {{ workflow | bind }} and session_id = {{ session_id | bind }} and kind = 'prediction'
order by column_name
