-- The products that most customers are shown first, by name where they have one.
with first_choices as (
    select
        product_id,
        max(product_name) as product_name,
        count(*) as customers
    from {{ table | identifier }}
    where session_id = {{ session_id | bind }} and rank = 1
    group by product_id
)

select
    product_id,
    product_name,
    customers,
    customers::double / sum(customers) over () as share
from first_choices
order by customers desc, product_id asc
limit {{ limit | bind }}::bigint
