select
    status
    , count(*) as columns
from {{ table | identifier }}
where workflow = {{ workflow | bind }} and session_id = {{ session_id | bind }}
group by status
order by status
