with

pageviews as (

    select * from {{ source('raw', 'pageviews') }}

),

renamed as (

    select
        -- ids
        customer_id,

        -- what
        path,

        -- when
        viewed_at,
        viewed_on

    from pageviews

)

select * from renamed
