-- Of sales: what was known at the end of a day, and what was bought later of the products known by then, by customers with a
-- history whose lists were kept.
history as (
    select distinct
        customer_id,
        product_id
    from sales
    where ordered_on <= {{ day | bind }}::date
),

bought as (
    select distinct
        sales.customer_id,
        sales.product_id
    from sales
    semi join history as known_products on sales.product_id = known_products.product_id
    semi join history as known_customers on sales.customer_id = known_customers.customer_id
    semi join (
        select customer_id from {{ history | identifier }} where as_of = {{ day | bind }}::date
    ) as kept on sales.customer_id = kept.customer_id
    where sales.ordered_on > {{ day | bind }}::date
)
