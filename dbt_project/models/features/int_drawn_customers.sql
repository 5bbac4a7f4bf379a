-- Who is learnt from. The hash is that of sql/training_table/build.sql, so that the rows it takes are there.
with

shares as (

    select coalesce(min(customer_share), 1) as customer_share from {{ source('features', 'snapshots') }}

),

customers as (

    select distinct
        customer_id,
        customer_id as drawn_by

    from {{ source('raw', 'orders') }}
    {%- if recorded_sources() %}

    union all

    -- A view is drawn as its customer is.
    select
        view_id,
        customer_id

    from {{ ref('int_known_customers') }}
    {%- endif %}

)

select
    customers.customer_id,
    case
        when shares.customer_share >= 1 then true
        else cast(md5_number_lower('sample:' || customers.drawn_by) % 1000000 as double) / 1000000 < shares.customer_share
    end as is_drawn

from customers
cross join shares
