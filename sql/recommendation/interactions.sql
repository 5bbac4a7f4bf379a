-- One part of the training table, customer by customer.
select
    customer_id,
    product_id,
    purchases,
    date_diff('day', last_on, snapshot_date) as age_days
from {{ table | identifier }}
where
    snapshot_date = {{ snapshot_date | bind }}::date
    and split = {{ split | bind }}
order by customer_id asc, product_id asc
