-- Customers whom the sessions have scored, each counted once over all workflows.
with population as (
{% include "audience/parts/scored_customers.sql" %}

)

select count(distinct customer_id) as customers
from population
