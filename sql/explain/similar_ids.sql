-- Ids that differ from the given one by case, blanks or leading zeros alone.
select distinct customer_id
from {{ orders | identifier }}
where lower(ltrim(trim(customer_id), '0')) = lower(ltrim(trim({{ customer_id | bind }}), '0'))
order by customer_id
limit 3
