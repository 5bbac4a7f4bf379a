-- Joins on a day are joins on equality: several times faster than on day <= snapshot_date.
with

snapshots as (

    select snapshot_date from {{ source('features', 'snapshots') }}

),

days as (

    select ordered_on as day from {{ ref('stg_orders') }}
    union
    select viewed_on from {{ ref('stg_pageviews') }}
    union
    select sent_on from {{ ref('stg_email_events') }}

)

select
    snapshots.snapshot_date,
    days.day,
    snapshots.snapshot_date = min(snapshots.snapshot_date) over (partition by days.day) as is_first

from snapshots
inner join days
    on days.day <= snapshots.snapshot_date
