-- One row per product that has a name.
with {% include "recommendation/parts/product_names.sql" %}

select
    product_id,
    product_name
from product_names
order by product_id asc
