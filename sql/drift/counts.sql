-- How the rows of one session fell into the bins.
select
    kind,
    column_name,
    counts
from {{ table | identifier }}
where workflow = {{ workflow | bind }} and session_id = {{ session_id | bind }}
