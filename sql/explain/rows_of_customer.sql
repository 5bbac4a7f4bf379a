-- Every row of one customer in a table of predictions, the latest day first.
select *
from {{ table | identifier }}
where customer_id = {{ customer_id | bind }}
order by as_of desc
limit {{ limit | bind }}::bigint
