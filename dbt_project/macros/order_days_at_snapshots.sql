{#
The common table expression `days`: one row per snapshot, customer and day it sees. A day whose sales were reduced by returns
by the snapshot counts as they left it. Not materialised: it is long, and each use takes a few of its columns.
#}
{% macro order_days_at_snapshots() %}
netted_order_days as (

    select * from {{ ref('int_netted_order_days') }}

),

days as not materialized (

    select
        snapshot_days.snapshot_date,
        order_days.* exclude (is_drawn)

    from {{ ref('int_order_days') }} as order_days
    inner join {{ ref('int_snapshot_days') }} as snapshot_days
        on order_days.ordered_on = snapshot_days.day
        and {{ same_customers('order_days') }}
    anti join netted_order_days
        on snapshot_days.snapshot_date = netted_order_days.snapshot_date
        and order_days.customer_id = netted_order_days.customer_id
        and order_days.ordered_on = netted_order_days.ordered_on

    union all by name

    select * from netted_order_days

)
{% endmacro %}
