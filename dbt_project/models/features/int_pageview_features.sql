-- Paths are found as categories are: see int_category_features.
with

snapshots as (

    select snapshot_date from {{ source('features', 'snapshots') }}

),

snapshot_days as (

    select * from {{ ref('int_snapshot_days') }}

),

pageviews as not materialized (

    select * from {{ as_known('pageviews') }}

),

days as (

    select
        customer_id,
        viewed_on,
        count(*) as views

    from pageviews
    group by customer_id, viewed_on

),

totals as (

    select
        snapshot_days.snapshot_date,
        days.customer_id,
        min(days.viewed_on) as first_viewed_on,
        max(days.viewed_on) as last_viewed_on,
        cast(sum(days.views) as bigint) as views
        {%- for length in window_days() %},
        cast(coalesce(sum(days.views) filter (where {{ in_window('days.viewed_on', length) }}), 0) as bigint) as views_{{ length }}d
        {%- endfor %}

    from days
    left join {{ ref('int_drawn_customers') }} as drawn_customers
        on days.customer_id = drawn_customers.customer_id
    inner join snapshot_days
        on days.viewed_on = snapshot_days.day
        and {{ same_customers('drawn_customers') }}
    group by snapshot_days.snapshot_date, days.customer_id

),

paths as (

    select
        path,
        row_number() over (order by path) as path_number

    from (select distinct path from pageviews where path is not null)

),

new_counts as (

    select
        pageviews.customer_id,
        pageviews.path,
        snapshot_days.snapshot_date as seen_from,
        count(*) as views,
        max(pageviews.viewed_at) as last_at

    from pageviews
    left join {{ ref('int_drawn_customers') }} as drawn_customers
        on pageviews.customer_id = drawn_customers.customer_id
    inner join snapshot_days
        on pageviews.viewed_on = snapshot_days.day
        and {{ same_customers('drawn_customers') }}
        and snapshot_days.is_first
    where pageviews.path is not null
    group by pageviews.customer_id, pageviews.path, snapshot_days.snapshot_date

),

running_counts as (

    select
        new_counts.customer_id,
        new_counts.seen_from,
        paths.path_number,
        row_number() over so_far = 1 as is_new,
        sum(new_counts.views) over so_far as views,
        max(new_counts.last_at) over so_far as last_at

    from new_counts
    inner join paths
        on new_counts.path = paths.path
    window so_far as (
        partition by new_counts.customer_id, new_counts.path
        order by new_counts.seen_from
        rows between unbounded preceding and current row
    )

),

standings as (

    select
        customer_id,
        seen_from,
        count(*) filter (where is_new) as paths,
        max({{ favourite_key('views', 'last_at', 'path_number') }}) as favourite_key,
        max({{ latest_key('last_at', 'path_number') }}) as latest_key

    from running_counts
    group by customer_id, seen_from

),

at_snapshots as (

    select
        snapshots.snapshot_date,
        standings.customer_id,
        sum(standings.paths) as paths,
        max(standings.favourite_key) as favourite_key,
        max(standings.latest_key) as latest_key

    from standings
    inner join snapshots
        on standings.seen_from <= snapshots.snapshot_date
    group by snapshots.snapshot_date, standings.customer_id

)

select
    totals.*,
    cast(coalesce(at_snapshots.paths, 0) as bigint) as distinct_paths,
    favourites.path as most_visited_path,
    latest.path as last_visited_path

from totals
left join at_snapshots
    on totals.snapshot_date = at_snapshots.snapshot_date
    and totals.customer_id = at_snapshots.customer_id
left join paths as favourites
    on {{ number_of('at_snapshots.favourite_key') }} = favourites.path_number
left join paths as latest
    on {{ number_of('at_snapshots.latest_key') }} = latest.path_number
