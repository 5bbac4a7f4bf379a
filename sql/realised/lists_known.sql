-- Products that could have been recommended at the end of a day.
with {% include "recommendation/parts/sales.sql" %}


select count(distinct product_id) as products
from sales
where ordered_on <= {{ day | bind }}::date
