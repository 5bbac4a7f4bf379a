-- The same popular products for everybody, then the most popular of the others, those first that the customer never bought.
-- Popular is what most customers bought in the last windows; equal ones by all customers ever, then by name.
with {% include "recommendation/parts/sales.sql" %},

{% include "recommendation/parts/product_names.sql" %},

popular as (
    select
        product_id,
        count(distinct customer_id) filter (where ordered_on > {{ recent_after | bind }}::date) as recent_customers,
        count(distinct customer_id) as customers
    from sales
    group by product_id
),

placed as (
    select
        product_id,
        recent_customers,
        row_number() over (order by recent_customers desc, customers desc, product_id asc) as place
    from popular
    qualify place <= {{ candidates | bind }}
),

bought as (
    select distinct
        customer_id,
        product_id
    from sales
),

customers as (
    select customer_id
    from {{ features_table | identifier }}
    where snapshot_date = {{ as_of | bind }}::date
),

offered as (
    select
        customers.customer_id,
        placed.product_id,
        placed.recent_customers,
        placed.place,
        bought.product_id is not null as is_known
    from customers
    cross join placed
    left join bought
        on customers.customer_id = bought.customer_id
        and placed.product_id = bought.product_id
),

ranked as (
    select
        customer_id,
        product_id,
        recent_customers,
        is_known,
        row_number() over (
            partition by customer_id
            order by
                place > {{ count | bind }} asc
                , place > {{ count | bind }} and is_known asc
                , place asc
        ) as rank
    from offered
)

select
    {{ session_id | bind }} as session_id,
    {{ as_of | bind }}::date as as_of,
    ranked.customer_id,
    ranked.rank::integer as rank,
    ranked.product_id,
    ranked.recent_customers::double as score,
    product_names.product_name,
    case when ranked.is_known then {{ repeat | bind }} else {{ discover | bind }} end as slot
from ranked
left join product_names
    on ranked.product_id = product_names.product_id
where ranked.rank <= {{ length | bind }}
order by ranked.customer_id, ranked.rank
