-- The features of a session that moved farthest from the reference.
select
    column_name,
    status
from {{ table | identifier }}
where
    session_id = {{ session_id | bind }}
    and workflow = {{ workflow | bind }}
    and kind = 'feature'
order by psi desc nulls last, column_name
limit {{ limit | bind }}
