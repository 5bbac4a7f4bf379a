-- Rows of customers of whom nothing changed: a statement on the rows of some customers must not make them.
select count(*) as other_rows
from {{ recomputed | identifier }} as recomputed
anti join {{ changed | identifier }} as changed
    on recomputed.customer_id = changed.customer_id
