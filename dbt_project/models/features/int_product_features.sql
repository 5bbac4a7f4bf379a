with

first_sales as (

    select
        customer_id,
        min(ordered_on) as first_ordered_on

    from {{ as_known('orders') }}
    where not is_return and product_id is not null
    group by customer_id, product_id

),

new_products as (

    select
        customer_id,
        first_ordered_on,
        count(*) as products

    from first_sales
    group by customer_id, first_ordered_on

),

met as (

    select
        snapshot_days.snapshot_date,
        new_products.customer_id,
        sum(new_products.products) as products

    from new_products
    left join {{ ref('int_drawn_customers') }} as drawn_customers
        on new_products.customer_id = drawn_customers.customer_id
    inner join {{ ref('int_snapshot_days') }} as snapshot_days
        on new_products.first_ordered_on = snapshot_days.day
        and {{ same_customers('drawn_customers') }}
    group by snapshot_days.snapshot_date, new_products.customer_id

),

given_back as (

    select
        snapshot_date,
        customer_id,
        count(distinct product_id) as products

    from {{ ref('int_netted_lines') }}
    where product_units_left = 0
    group by snapshot_date, customer_id

)

select
    met.snapshot_date,
    met.customer_id,
    cast(met.products - coalesce(given_back.products, 0) as bigint) as distinct_items

from met
left join given_back
    on met.snapshot_date = given_back.snapshot_date
    and met.customer_id = given_back.customer_id
