-- Every customer of the scoring snapshot with what they had bought by then; one row without a product for who bought nothing.
with {% include "recommendation/parts/sales.sql" %},

customers as (
    select customer_id
    from {{ features_table | identifier }}
    where snapshot_date = {{ as_of | bind }}::date
),

bought as (
    select
        customer_id,
        product_id,
        count(distinct ordered_on) as purchases,
        max(ordered_on) as last_on
    from sales
    group by customer_id, product_id
)

select
    customers.customer_id,
    bought.product_id,
    bought.purchases,
    date_diff('day', bought.last_on, {{ as_of | bind }}::date) as age_days
from customers
left join bought
    on customers.customer_id = bought.customer_id
order by customers.customer_id asc, bought.product_id asc
