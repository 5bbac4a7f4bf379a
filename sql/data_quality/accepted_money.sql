-- Sum of the sizes of all accepted amounts, returns included, and the largest of them.
select
    coalesce(sum(abs(amount)), 0)::double as money,
    max(abs(amount))::double as largest
from {{ orders | identifier }}
