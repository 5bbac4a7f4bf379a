select *
from {{ table | identifier }}
where session_id = {{ session_id | bind }} and workflow = {{ workflow | bind }}
