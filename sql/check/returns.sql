-- Lines of negative amount: returns and discounts.
select
    count(*) filter (where quantity < 0) as return_lines,
    coalesce(sum(amount) filter (where quantity < 0), 0) as return_amount,
    count(*) filter (where amount < 0 and coalesce(quantity, 0) >= 0) as negative_lines,
    coalesce(sum(amount) filter (where amount < 0 and coalesce(quantity, 0) >= 0), 0) as negative_amount
from {{ orders | identifier }}
