-- The orders, or customers, with most revenue.
select
    {{ column | identifier }} as name,
    count(*) as order_lines,
    sum(amount) as amount
from {{ orders | identifier }}
where {{ column | identifier }} is not null
group by {{ column | identifier }}
order by amount desc, name
limit {{ most | bind }}::bigint
