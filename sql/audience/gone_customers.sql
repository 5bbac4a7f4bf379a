-- Customers of an export who are in no order line any more: they were erased from the source, or forgotten.
select count(*) as gone
from read_parquet({{ attributes | bind }}) as exported
anti join {{ orders | identifier }} as orders on exported.customer_id = orders.customer_id
