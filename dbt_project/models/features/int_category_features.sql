-- Counts and last days only grow from snapshot to snapshot, so the highest key seen by a snapshot is the highest at
-- it: lines need not meet every snapshot. Only where returns emptied lines are a customer's categories counted again.
with

snapshots as (

    select snapshot_date from {{ source('features', 'snapshots') }}

),

sales as not materialized (

    select
        customer_id,
        product_category,
        ordered_on,
        ordered_at

    from {{ as_known('orders') }}
    where not is_return and product_category is not null

),

categories as (

    select
        product_category,
        row_number() over (order by product_category) as category_number

    from (select distinct product_category from sales)

),

-- as ordered

new_counts as (

    select
        sales.customer_id,
        categories.category_number,
        snapshot_days.snapshot_date as seen_from,
        count(*) as lines,
        max(sales.ordered_at) as last_at

    from sales
    inner join categories
        on sales.product_category = categories.product_category
    left join {{ ref('int_drawn_customers') }} as drawn_customers
        on sales.customer_id = drawn_customers.customer_id
    inner join {{ ref('int_snapshot_days') }} as snapshot_days
        on sales.ordered_on = snapshot_days.day
        and snapshot_days.is_first
        and {{ same_customers('drawn_customers') }}
    group by sales.customer_id, categories.category_number, snapshot_days.snapshot_date

),

running_counts as (

    select
        customer_id,
        seen_from,
        category_number,
        row_number() over so_far = 1 as is_new,
        sum(lines) over so_far as lines,
        max(last_at) over so_far as last_at

    from new_counts
    window so_far as (
        partition by customer_id, category_number
        order by seen_from
        rows between unbounded preceding and current row
    )

),

standings as (

    select
        customer_id,
        seen_from,
        count(*) filter (where is_new) as categories,
        max({{ favourite_key('lines', 'last_at', 'category_number') }}) as favourite_key,
        max({{ latest_key('last_at', 'category_number') }}) as latest_key

    from running_counts
    group by customer_id, seen_from

),

-- where returns emptied lines: int_recounted_categories

to_recount as (

    select distinct
        snapshot_date,
        customer_id

    from {{ ref('int_netted_lines') }}
    where units_left = 0 and product_category is not null

),

-- at every snapshot

as_ordered as (

    select
        snapshots.snapshot_date,
        standings.customer_id,
        sum(standings.categories) as categories,
        max(standings.favourite_key) as favourite_key,
        max(standings.latest_key) as latest_key

    from standings
    inner join snapshots
        on standings.seen_from <= snapshots.snapshot_date
    group by snapshots.snapshot_date, standings.customer_id

),

at_snapshots as (

    select as_ordered.*
    from as_ordered
    anti join to_recount
        on as_ordered.snapshot_date = to_recount.snapshot_date
        and as_ordered.customer_id = to_recount.customer_id

    union all by name

    select
        recounts.snapshot_date,
        recounts.customer_id,
        count(*) as categories,
        max({{ favourite_key('recounts.lines', 'recounts.last_at', 'categories.category_number') }}) as favourite_key,
        max({{ latest_key('recounts.last_at', 'categories.category_number') }}) as latest_key

    from {{ ref('int_recounted_categories') }} as recounts
    inner join categories
        on recounts.product_category = categories.product_category
    group by recounts.snapshot_date, recounts.customer_id

)

select
    at_snapshots.snapshot_date,
    at_snapshots.customer_id,
    cast(at_snapshots.categories as bigint) as distinct_categories,
    favourites.product_category as most_ordered_category,
    latest.product_category as last_ordered_category

from at_snapshots
inner join categories as favourites
    on {{ number_of('at_snapshots.favourite_key') }} = favourites.category_number
inner join categories as latest
    on {{ number_of('at_snapshots.latest_key') }} = latest.category_number
