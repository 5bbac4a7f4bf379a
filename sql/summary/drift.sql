-- Columns per verdict, the farthest first.
select
    status
    , count(*) as columns
    , max(psi) as farthest_psi
    , list(column_name order by psi desc nulls last, column_name)[:3] as farthest
from {{ table | identifier }}
where session_id = {{ session_id | bind }} and workflow = {{ workflow | bind }}
group by status
order by status
