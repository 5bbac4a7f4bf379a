-- What every customer had bought at the end of each snapshot, and which of the products known by then were bought in the window
-- behind it.
with {% include "recommendation/parts/sales.sql" %},

windows as (
    select
        unnest({{ days | bind }}::date[]) as snapshot_date,
        unnest({{ untils | bind }}::date[]) as until
),

-- A stable hash, so that a customer is kept or left out in every session and window alike.
kept as (
    select *
    from sales
    where (md5_number_lower('sample:' || customer_id) % 1000000)::double / 1000000 < {{ sample_share | bind }}
),

counted as (
    select
        windows.snapshot_date,
        kept.customer_id,
        kept.product_id,
        kept.ordered_on > windows.snapshot_date as is_later,
        count(distinct kept.ordered_on) as purchases,
        sum(kept.quantity) as quantity,
        max(kept.ordered_on) as last_on
    from windows
    inner join kept
        on kept.ordered_on <= windows.until
{% if replaced_orders is defined and replaced_orders %}
        and if(
            kept.ordered_on <= windows.snapshot_date,
            kept.recorded_on <= windows.snapshot_date and coalesce(kept.replaced_on > windows.snapshot_date, true),
            kept.replaced_on is null
        )
{% endif %}
    group by windows.snapshot_date, kept.customer_id, kept.product_id, is_later
),

known_products as (
    select distinct
        snapshot_date,
        product_id
    from counted
    where not is_later
),

known_customers as (
    select distinct
        snapshot_date,
        customer_id
    from counted
    where not is_later
)

select
    counted.snapshot_date,
    counted.customer_id,
    counted.product_id,
    counted.purchases,
    counted.quantity,
    counted.last_on,
    if(counted.is_later, 'truth', 'history') as split
from counted
semi join known_products
    on counted.snapshot_date = known_products.snapshot_date
    and counted.product_id = known_products.product_id
semi join known_customers
    on counted.snapshot_date = known_customers.snapshot_date
    and counted.customer_id = known_customers.customer_id
