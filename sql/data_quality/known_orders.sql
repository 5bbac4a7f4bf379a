-- How many of some orders have an accepted line.
select count(distinct order_id) as known
from {{ orders | identifier }}
where order_id in (select unnest({{ wanted | bind }}::varchar[]))
