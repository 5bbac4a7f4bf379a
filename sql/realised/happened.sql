-- Kept predictions next to what happened, in a fixed order: sums of doubles depend on it.
with roles as (select {{ as_of | bind }}::date as snapshot_date),

{% include "training_table/parts/observed.sql" %}


select
    history.customer_id,
    {% include "training_table/parts/target.sql" %} as target,
    history.predicted_target,
    history.total_spend,
    history.total_orders,
    history.days_since_last_order
from {{ history | identifier }} as history
left join observed
    on history.as_of = observed.snapshot_date
    and history.customer_id = observed.customer_id
where history.as_of = {{ as_of | bind }}::date
order by history.customer_id
