-- Products bought in the window by every customer with a history, and those of them that were new.
with history as (
    select
        customer_id,
        product_id
    from {{ table | identifier }}
    where
        snapshot_date = {{ snapshot_date | bind }}::date
        and split = 'history'
),

truth as (
    select
        customer_id,
        product_id
    from {{ table | identifier }}
    where
        snapshot_date = {{ snapshot_date | bind }}::date
        and split = 'truth'
)

select
    truth.customer_id,
    count(*) as truth,
    count(*) filter (where history.product_id is null) as truth_new
from truth
left join history
    on truth.customer_id = history.customer_id
    and truth.product_id = history.product_id
group by truth.customer_id
order by truth.customer_id asc
