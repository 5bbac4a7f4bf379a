{#
Staging of the rows of a raw table, and of their earlier states where the source tells when rows were recorded: one statement for both.
`more` lists columns that are passed on.
#}
{% macro staged_orders(rows, more) %}
with

orders as (

    select * from {{ rows }}

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
        {%- for column in more %},
        {{ column }}
        {%- endfor %}

    from judged

)

select * from renamed
{% endmacro %}

{% macro staged_pageviews(rows, more) %}
with

pageviews as (

    select * from {{ rows }}

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
        {%- for column in more %},
        {{ column }}
        {%- endfor %}

    from pageviews

)

select * from renamed
{% endmacro %}

{% macro staged_email_events(rows, more) %}
with

email_events as (

    select * from {{ rows }}

),

renamed as (

    select
        -- ids
        customer_id,

        -- what: systems name the same event in either tense
        case lower(trim(event_type))
            when 'send' then 'send'
            when 'sent' then 'send'
            when 'open' then 'open'
            when 'opened' then 'open'
            when 'click' then 'click'
            when 'clicked' then 'click'
            when 'unsubscribe' then 'unsubscribe'
            when 'unsubscribed' then 'unsubscribe'
            when 'bounce' then 'bounce'
            when 'bounced' then 'bounce'
            else 'other'
        end as event_kind,
        email_name,
        campaign_name,

        -- when
        sent_at,
        sent_on
        {%- for column in more %},
        {{ column }}
        {%- endfor %}

    from email_events

)

select * from renamed
{% endmacro %}
