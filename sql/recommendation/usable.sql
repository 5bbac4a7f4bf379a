-- How much there is to learn from, and when it begins.
with {% include "recommendation/parts/sales.sql" %}

select
    count(*) as line_count,
    count(distinct product_id) as products,
    count(distinct customer_id) as customers,
    min(ordered_on) as first_ordered_on
from sales
