select
    decile
    , "count" as customers
    , mean_predicted
    , mean_actual
    , share_actual
from {{ table | identifier }}
where workflow = {{ workflow | bind }} and session_id = {{ session_id | bind }} and evaluation_table = 'test'
order by decile
