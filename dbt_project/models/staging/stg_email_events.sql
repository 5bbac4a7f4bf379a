with

email_events as (

    select * from {{ source('raw', 'email_events') }}

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

    from email_events

)

select * from renamed
