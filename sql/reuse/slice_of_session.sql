-- The rows of an earlier session as those of another.
select * replace ({{ session_id | bind }} as session_id)
from {{ table | identifier }}
where session_id = {{ earlier | bind }} and workflow = {{ workflow | bind }}
