-- Sum of the sizes of all accepted amounts, returns included.
select coalesce(sum(abs(amount)), 0)::double as money
from {{ orders | identifier }}
