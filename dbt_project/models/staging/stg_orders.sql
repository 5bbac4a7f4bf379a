with

orders as (

    select * from {{ source('raw', 'orders') }}

),

judged as (

    select
        *,
        coalesce(quantity < 0, false) or amount < 0 as is_return,
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
        product_id,

        -- what
        product_category,
        is_return,
        coalesce(coupon_used, false) as is_coupon,
        case lower(trim(order_type))
            when 'website' then 'online'
            when 'mobile app' then 'online'
            when 'in-store' then 'offline'
        end as channel,

        -- how much
        cast(if(is_return, -unit_count, unit_count) as decimal(18, 4)) as units,
        amount,

        -- when
        ordered_at,
        ordered_on

    from judged

)

select * from renamed
