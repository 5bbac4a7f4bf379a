select "option", estimator, chosen, why, loss, difference, standard_error, refused, seen
from {{ table | identifier }}
where session_id = {{ session_id | bind }} and workflow = {{ workflow | bind }}
order by loss nulls last, "option"
