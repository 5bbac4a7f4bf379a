-- What happened to every customer of a kept day, with band, prediction, share and group, in a fixed order.
with roles as (select {{ as_of | bind }}::date as snapshot_date),

{% include "training_table/parts/observed.sql" %}


select
    history.band,
    history.prediction,
    history.share,
    history.in_control_group,
    cast({% include "training_table/parts/target.sql" %} as double) as outcome
from {{ history | identifier }} as history
left join observed
    on history.as_of = observed.snapshot_date
    and history.customer_id = observed.customer_id
where history.as_of = {{ as_of | bind }}::date
order by history.customer_id
