-- Names of the products that customers are shown in a session.
select
    product_id,
    max(product_name) as product_name
from {{ table | identifier }}
where session_id = {{ session_id | bind }} and product_name is not null
group by product_id
