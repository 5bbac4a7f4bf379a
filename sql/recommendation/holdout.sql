-- Lists of one window in a fixed order.
select
    customer_id,
    rank,
    product_id,
    is_new,
    bought
from {{ table | identifier }}
where
    split = {{ split | bind }}
    and list = {{ list | bind }}
order by customer_id asc, rank asc
