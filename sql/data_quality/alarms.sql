-- What the checks of the raw data found wrong in a session.
select sentence
from {{ table | identifier }}
where session_id = {{ session_id | bind }} and status = 'alarm'
order by check_name, source
