-- Rows of customers of other parts: a statement on the rows of one part must not make them.
select count(*) as other_rows
from {{ computed | identifier }}
where hash(customer_id) % {{ count | bind }} is distinct from {{ part | bind }}
