update {{ table | identifier }}
set session_id = {{ session_id | bind }}
where session_id is distinct from {{ session_id | bind }}
