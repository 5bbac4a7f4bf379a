-- The catalogue as people bought it: one row per product.
with history as (
    select
        product_id,
        count(*) as customers,
        sum(purchases)::bigint as purchases,
        count(*) filter (where purchases > 1) as returning_customers,
        max(last_on) as last_on
    from {{ table | identifier }}
    where
        snapshot_date = {{ snapshot_date | bind }}::date
        and split = 'history'
    group by product_id
)

select
    product_id,
    row_number() over (order by purchases desc, product_id asc) as place,
    customers,
    purchases,
    purchases::double / sum(purchases) over () as share_of_purchases,
    returning_customers::double / customers as repeat_share,
    last_on
from history
order by place asc
