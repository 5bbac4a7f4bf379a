-- What became of every workflow in one session.
select *
from {{ outcomes | identifier }}
where session_id = {{ session_id | bind }}
order by workflow
