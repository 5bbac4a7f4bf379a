-- Joins on a day are joins on equality: several times faster than on day <= snapshot_date.
-- A past snapshot sees the customers drawn alone (is_drawn), the scoring one everybody.
with

snapshots as (

    select
        snapshots.snapshot_date,
        seen.is_drawn

    from {{ source('features', 'snapshots') }} as snapshots
    inner join (values (true), (false)) as seen (is_drawn)
        on seen.is_drawn or snapshots.is_scoring

),

days as (

    select ordered_on as day from {{ as_known('orders') }}
    union
    select viewed_on from {{ as_known('pageviews') }}
    union
    select sent_on from {{ as_known('email_events') }}

)

select
    snapshots.snapshot_date,
    days.day,
    snapshots.is_drawn,
    snapshots.snapshot_date = min(snapshots.snapshot_date) over (partition by days.day, snapshots.is_drawn) as is_first

from snapshots
inner join days
    on days.day <= snapshots.snapshot_date
