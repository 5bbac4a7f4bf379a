with

{{ order_days_at_snapshots() }},

purchase_days as not materialized (

    select
        snapshot_date,
        customer_id,
        ordered_on,
        amount_left,
        first_order_amount,
        last_order_amount

    from days
    where orders > 0

),

gaps as (

    select
        snapshot_date,
        customer_id,
        ordered_on - lag(ordered_on) over (partition by snapshot_date, customer_id order by ordered_on) as gap_days

    from purchase_days

),

gap_squares as (

    select
        snapshot_date,
        customer_id,
        cast(sum(gap_days * gap_days) as bigint) as sum_of_squared_gaps

    from gaps
    where gap_days is not null
    group by snapshot_date, customer_id

),

totals as (

    select
        snapshot_date,
        customer_id,
        count(*) as purchase_days,
        min(ordered_on) as first_purchase_on,
        max(ordered_on) as last_purchase_on,
        cast(sum(amount_left) as decimal(18, 4)) as purchase_amount,
        arg_min(amount_left, ordered_on) as first_purchase_amount,
        arg_min(first_order_amount, ordered_on) as first_order_amount,
        arg_max(last_order_amount, ordered_on) as last_order_amount

    from purchase_days
    group by snapshot_date, customer_id

)

select
    totals.*,
    coalesce(gap_squares.sum_of_squared_gaps, 0) as sum_of_squared_gaps

from totals
left join gap_squares
    on totals.snapshot_date = gap_squares.snapshot_date
    and totals.customer_id = gap_squares.customer_id
