-- Customers of the published predictions who are not assigned yet. The hash of seed and id is uniform between 0 and 1.
with population as (
{% include "audience/parts/scored_customers.sql" %}

)

select
    population.customer_id,
    {{ seed | bind }}::bigint as seed,
    {{ share | bind }}::double as share,
    md5_number_lower('control:' || {{ seed | bind }}::bigint || ':' || population.customer_id) / 18446744073709551616.0
    < {{ share | bind }}::double as in_control_group,
    {{ as_of | bind }}::date as assigned_on
from population
where
    not exists (
        select 1 from {{ groups | identifier }} as assigned
        where assigned.customer_id = population.customer_id and assigned.seed = {{ seed | bind }}::bigint
    )
