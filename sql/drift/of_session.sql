-- What a session measured, the farthest column first.
select *
from {{ table | identifier }}
where workflow = {{ workflow | bind }} and session_id = {{ session_id | bind }}
order by severity desc nulls last, psi desc nulls last, column_name
