-- Products each of them bought, and those of them that were new.
with {% include "recommendation/parts/sales.sql" %},

{% include "realised/parts/bought.sql" %}


select
    bought.customer_id,
    count(*) as truth,
    count(*) filter (where history.product_id is null) as truth_new
from bought
left join history
    on bought.customer_id = history.customer_id
    and bought.product_id = history.product_id
group by bought.customer_id
order by bought.customer_id
