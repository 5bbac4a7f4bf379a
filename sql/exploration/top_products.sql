-- The products ordered most in a window beside those recommended most: customers who bought, customers who were recommended.
with ordered as (
    select
        product_id,
        count(distinct customer_id) as customers
    from {{ orders_table | identifier }}
    where
        product_id is not null
        and quantity > 0
        and amount >= 0
        and ordered_on > {{ after | bind }}::date
        and ordered_on <= {{ until | bind }}::date
    group by product_id
),

recommended as (
    select
        product_id,
        count(distinct customer_id) as customers
    from {{ predictions_table | identifier }}
    where
        product_id is not null
        {% for column, value in where.items() %}
        and {{ column | identifier }} = {{ value | bind }}
        {% endfor %}
    group by product_id
),

ranked as (
    select
        product_id,
        customers,
        'ordered' as list,
        row_number() over (order by customers desc, product_id asc) as place
    from ordered
    union all
    select
        product_id,
        customers,
        'recommended' as list,
        row_number() over (order by customers desc, product_id asc) as place
    from recommended
)

select
    list,
    place,
    product_id,
    customers
from ranked
where place <= {{ top | bind }}
order by list asc, place asc
