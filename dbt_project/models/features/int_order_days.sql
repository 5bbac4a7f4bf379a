with

lines as (

    select
        cast(null as date) as snapshot_date,
        *,
        if(is_return, 0, units) as units_left,
        if(is_return, 0, amount) as amount_left

    from {{ ref('stg_orders') }}

),

{{ order_day_facts('lines') }}

select * exclude (snapshot_date)
from order_days
-- Rows of a customer side by side halve the cost of what is grouped by customer next.
order by customer_id, ordered_on
