-- Of customers that every snapshot holds.
with shares as (
    select coalesce(min(customer_share), 1) as customer_share
    from {{ snapshots | identifier }}
),

customers as (
    select distinct customer_id
    from {{ orders | identifier }}
)

select customers.customer_id
from customers
cross join shares
where
    shares.customer_share >= 1
    or (md5_number_lower('sample:' || customers.customer_id) % 1000000)::double / 1000000 < shares.customer_share
order by md5(customers.customer_id), customers.customer_id
limit {{ count | bind }}
