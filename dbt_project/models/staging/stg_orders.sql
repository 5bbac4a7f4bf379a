with

orders as (

    select * from {{ source('raw', 'orders') }}

),

judged as (

    select
        *,
        -- Shipping is not a product, and what lowers the amount (a discount, a refund of money alone) sells none.
        is_product and (is_return or amount >= 0) as has_product,
        -- A line that states no quantity is one unit.
        coalesce(abs(nullif(quantity, 0)), 1) as unit_count

    from orders

),

renamed as (

    select
        -- ids
        file,
        row_number,
        customer_id,
        -- A line without an order is an order of its own.
        coalesce(order_id, concat_ws(':', file, row_number)) as order_key,
        order_id,
        if(has_product, product_id, null) as product_id,

        -- what
        if(has_product, product_category, null) as product_category,
        is_return,
        coalesce(coupon_used, false) as is_coupon,
        case lower(trim(order_type))
            when 'website' then 'online'
            when 'mobile app' then 'online'
            when 'in-store' then 'offline'
        end as channel,

        -- how much
        cast(case when not has_product then 0 when is_return then -unit_count else unit_count end as decimal(18, 4)) as units,
        amount,

        -- when
        ordered_at,
        ordered_on

    from judged

)

select * from renamed
