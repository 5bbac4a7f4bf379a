-- The newest name of every product that was sold by a day; of names that are equally new the first in the alphabet.
-- Lines that sell nothing are left out: a correction often holds a remark.
named as (
    select
        product_id,
        product_name,
        max(ordered_at) as last_at
    from {{ orders_table | identifier }}
    where
        ordered_on <= {{ as_of | bind }}::date
        and product_id is not null
        and product_name is not null
        and coalesce(quantity, amount) > 0
        and amount >= 0
    group by product_id, product_name
),

product_names as (
    select
        product_id,
        product_name
    from named
    qualify row_number() over (partition by product_id order by last_at desc, product_name asc) = 1
)
