select
    product_id,
    place,
    customers,
    purchases,
    share_of_purchases,
    repeat_share,
    last_on
from {{ table | identifier }}
order by place asc
