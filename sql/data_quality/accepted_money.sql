-- Accepted lines, those of them without money, the sum of the sizes of their amounts, returns included, and the largest of them.
select
    count(*) as lines,
    count(*) filter (where amount = 0) as zeros,
    coalesce(sum(abs(amount)), 0)::double as money,
    max(abs(amount))::double as largest
from {{ orders | identifier }}
