with

order_totals as (

    select
        *,
        net_amount + returned_amount as gross_amount

    from {{ ref('int_order_totals') }}

),

purchases as (

    select
        *,
        purchase_days - 1 as repeat_purchase_days,
        last_purchase_on - first_purchase_on as recency_days,
        snapshot_date - first_purchase_on as tenure_days,
        snapshot_date - last_purchase_on as days_since_last_order

    from {{ ref('int_purchase_days') }}

),

joined as (

    select
        -- grain
        orders.snapshot_date,
        orders.customer_id,

        -- orders
        cast(orders.net_amount as double) as total_spend,
        cast(orders.gross_amount as double) as gross_spend,
        cast(orders.returned_amount as double) as returned_amount,
        if(
            orders.gross_amount > 0,
            cast(orders.returned_amount as double) / cast(orders.gross_amount as double),
            0
        ) as return_rate,
        orders.orders as total_orders,
        cast(orders.units as double) as total_items,
        coalesce(products.distinct_items, 0) as distinct_items_ordered,
        coalesce(categories.distinct_categories, 0) as distinct_categories_ordered,
        orders.coupon_orders as coupons_used,
        cast(orders.net_amount as double) / cast(orders.orders as double) as avg_order_value,
        cast(orders.units as double) / cast(orders.orders as double) as avg_order_size,
        cast(purchases.first_order_amount as double) as first_order_value,
        cast(purchases.last_order_amount as double) as last_order_value,
        cast(orders.largest_order_amount as double) as max_order_value,
        orders.online_orders,
        orders.offline_orders,
        orders.canceled_orders,
        purchases.days_since_last_order,
        purchases.recency_days as order_history_length,
        categories.most_ordered_category,
        categories.last_ordered_category,

        -- orders of the last days
        {%- for length in window_days() %}
        cast(coalesce(windows.net_amount_{{ length }}d, 0) as double) as total_spend_{{ length }}d,
        coalesce(windows.orders_{{ length }}d, 0) as total_orders_{{ length }}d,
        cast(coalesce(windows.units_{{ length }}d, 0) as double) as total_items_{{ length }}d,
        cast(coalesce(windows.returned_amount_{{ length }}d, 0) as double) as returned_amount_{{ length }}d,
        {%- endfor %}

        -- repeat purchases
        purchases.repeat_purchase_days,
        purchases.recency_days,
        purchases.tenure_days,
        cast(purchases.purchase_amount - purchases.first_purchase_amount as double)
            / nullif(cast(purchases.repeat_purchase_days as double), 0) as avg_repeat_day_value,
        cast(purchases.recency_days as double)
            / nullif(cast(purchases.repeat_purchase_days as double), 0) as mean_days_between_orders,
        -- From whole numbers, so that neither cancellation nor the order of addition costs a bit.
        sqrt(
            cast(
                purchases.repeat_purchase_days * purchases.sum_of_squared_gaps
                - purchases.recency_days * purchases.recency_days as double
            ) / nullif(cast(purchases.repeat_purchase_days * (purchases.repeat_purchase_days - 1) as double), 0)
        ) as stddev_days_between_orders,
        cast(purchases.days_since_last_order * purchases.repeat_purchase_days as double)
            / nullif(cast(purchases.recency_days as double), 0) as recency_ratio,

        -- page views
        orders.snapshot_date - pageviews.last_viewed_on as days_since_last_pageview,
        coalesce(pageviews.last_viewed_on - pageviews.first_viewed_on, 0) as browsing_history_length,
        coalesce(pageviews.views, 0) as total_pageviews,
        coalesce(pageviews.distinct_paths, 0) as distinct_paths_visited,
        pageviews.most_visited_path,
        pageviews.last_visited_path,
        {%- for length in window_days() %}
        coalesce(pageviews.views_{{ length }}d, 0) as total_pageviews_{{ length }}d,
        {%- endfor %}

        -- e-mail
        coalesce(emails.sends, 0) as email_sends,
        coalesce(emails.opens, 0) as email_opens,
        coalesce(emails.clicks, 0) as email_clicks,
        coalesce(emails.unsubscribes, 0) as email_unsubscribes,
        coalesce(emails.bounces, 0) as email_bounces,
        orders.snapshot_date - emails.last_event_on as days_since_last_email_event,
        coalesce(emails.last_event_on - emails.first_event_on, 0) as email_history_length,
        coalesce(emails.distinct_emails, 0) as distinct_emails_sent,
        emails.most_emailed_campaign,
        emails.last_opened_campaign as last_email_campaign_opened
        {%- for length in window_days() %},
        coalesce(emails.clicks_{{ length }}d, 0) as email_clicks_{{ length }}d
        {%- endfor %}

    from order_totals as orders
    -- Both rest on the same days with an order left: one row here is one row there.
    inner join purchases
        on orders.snapshot_date = purchases.snapshot_date
        and orders.customer_id = purchases.customer_id
    left join {{ ref('int_order_windows') }} as windows
        on orders.snapshot_date = windows.snapshot_date
        and orders.customer_id = windows.customer_id
    left join {{ ref('int_product_features') }} as products
        on orders.snapshot_date = products.snapshot_date
        and orders.customer_id = products.customer_id
    left join {{ ref('int_category_features') }} as categories
        on orders.snapshot_date = categories.snapshot_date
        and orders.customer_id = categories.customer_id
    left join {{ ref('int_pageview_features') }} as pageviews
        on orders.snapshot_date = pageviews.snapshot_date
        and orders.customer_id = pageviews.customer_id
    left join {{ ref('int_email_features') }} as emails
        on orders.snapshot_date = emails.snapshot_date
        and orders.customer_id = emails.customer_id

)
{%- if recorded_sources() %},

as_known as ( -- noqa: ST03

    select joined.* replace (coalesce(views.customer_id, joined.customer_id) as customer_id)

    from joined
    left join {{ ref('int_known_customers') }} as views
        on joined.customer_id = views.view_id
    left join {{ ref('int_known_customers') }} as known_otherwise
        on joined.snapshot_date = known_otherwise.snapshot_date
        and joined.customer_id = known_otherwise.customer_id
    -- A view counts at its snapshot alone, and there in place of the customer.
    where coalesce(views.snapshot_date = joined.snapshot_date, known_otherwise.view_id is null)

)
{%- endif %}

select * from {{ 'as_known' if recorded_sources() else 'joined' }}
