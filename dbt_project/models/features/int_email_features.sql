-- Campaigns are found as categories are: see int_category_features.
{% set kinds = ['send', 'open', 'click', 'unsubscribe', 'bounce'] -%}
with

snapshots as (

    select snapshot_date from {{ source('features', 'snapshots') }}

),

snapshot_days as (

    select * from {{ ref('int_snapshot_days') }}

),

email_events as not materialized (

    select * from {{ as_known('email_events') }}

),

days as (

    select
        customer_id,
        sent_on
        {%- for kind in kinds %},
        count(*) filter (where event_kind = '{{ kind }}') as {{ kind }}s
        {%- endfor %}

    from email_events
    group by customer_id, sent_on

),

totals as (

    select
        snapshot_days.snapshot_date,
        days.customer_id,
        min(days.sent_on) as first_event_on,
        max(days.sent_on) as last_event_on
        {%- for kind in kinds %},
        cast(sum(days.{{ kind }}s) as bigint) as {{ kind }}s
        {%- endfor %}
        {%- for length in window_days() %},
        cast(coalesce(sum(days.clicks) filter (where {{ in_window('days.sent_on', length) }}), 0) as bigint) as clicks_{{ length }}d
        {%- endfor %}

    from days
    left join {{ ref('int_drawn_customers') }} as drawn_customers
        on days.customer_id = drawn_customers.customer_id
    inner join snapshot_days
        on days.sent_on = snapshot_days.day
        and {{ same_customers('drawn_customers') }}
    group by snapshot_days.snapshot_date, days.customer_id

),

first_sends as (

    select
        customer_id,
        min(sent_on) as first_sent_on

    from email_events
    where event_kind = 'send' and email_name is not null
    group by customer_id, email_name

),

emails as (

    select
        snapshot_days.snapshot_date,
        first_sends.customer_id,
        count(*) as distinct_emails

    from first_sends
    left join {{ ref('int_drawn_customers') }} as drawn_customers
        on first_sends.customer_id = drawn_customers.customer_id
    inner join snapshot_days
        on first_sends.first_sent_on = snapshot_days.day
        and {{ same_customers('drawn_customers') }}
    group by snapshot_days.snapshot_date, first_sends.customer_id

),

campaigns as (

    select
        campaign_name,
        row_number() over (order by campaign_name) as campaign_number

    from (select distinct campaign_name from email_events where campaign_name is not null)

),

new_counts as (

    select
        email_events.customer_id,
        email_events.campaign_name,
        snapshot_days.snapshot_date as seen_from,
        count(*) filter (where email_events.event_kind = 'send') as sends,
        max(email_events.sent_at) filter (where email_events.event_kind = 'send') as last_sent_at,
        max(email_events.sent_at) filter (where email_events.event_kind = 'open') as last_opened_at

    from email_events
    left join {{ ref('int_drawn_customers') }} as drawn_customers
        on email_events.customer_id = drawn_customers.customer_id
    inner join snapshot_days
        on email_events.sent_on = snapshot_days.day
        and {{ same_customers('drawn_customers') }}
        and snapshot_days.is_first
    where email_events.campaign_name is not null and email_events.event_kind in ('send', 'open')
    group by email_events.customer_id, email_events.campaign_name, snapshot_days.snapshot_date

),

running_counts as (

    select
        new_counts.customer_id,
        new_counts.seen_from,
        campaigns.campaign_number,
        sum(new_counts.sends) over so_far as sends,
        max(new_counts.last_sent_at) over so_far as last_sent_at,
        max(new_counts.last_opened_at) over so_far as last_opened_at

    from new_counts
    inner join campaigns
        on new_counts.campaign_name = campaigns.campaign_name
    window so_far as (
        partition by new_counts.customer_id, new_counts.campaign_name
        order by new_counts.seen_from
        rows between unbounded preceding and current row
    )

),

-- A campaign that was never sent, or never opened, has no key and takes no part.
standings as (

    select
        customer_id,
        seen_from,
        max({{ favourite_key('sends', 'last_sent_at', 'campaign_number') }}) as favourite_key,
        max({{ latest_key('last_opened_at', 'campaign_number') }}) as latest_key

    from running_counts
    group by customer_id, seen_from

),

at_snapshots as (

    select
        snapshots.snapshot_date,
        standings.customer_id,
        max(standings.favourite_key) as favourite_key,
        max(standings.latest_key) as latest_key

    from standings
    inner join snapshots
        on standings.seen_from <= snapshots.snapshot_date
    group by snapshots.snapshot_date, standings.customer_id

)

select
    totals.*,
    coalesce(emails.distinct_emails, 0) as distinct_emails,
    favourites.campaign_name as most_emailed_campaign,
    latest.campaign_name as last_opened_campaign

from totals
left join emails
    on totals.snapshot_date = emails.snapshot_date
    and totals.customer_id = emails.customer_id
left join at_snapshots
    on totals.snapshot_date = at_snapshots.snapshot_date
    and totals.customer_id = at_snapshots.customer_id
left join campaigns as favourites
    on {{ number_of('at_snapshots.favourite_key') }} = favourites.campaign_number
left join campaigns as latest
    on {{ number_of('at_snapshots.latest_key') }} = latest.campaign_number
