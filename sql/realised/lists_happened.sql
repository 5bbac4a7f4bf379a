-- Kept lists of those who bought something known, and what they bought of them.
with {% include "recommendation/parts/sales.sql" %},

{% include "realised/parts/bought.sql" %}


select
    lists.customer_id,
    lists.rank,
    lists.product_id,
    lists.is_new,
    bought.product_id is not null as bought
from {{ history | identifier }} as lists
semi join bought as buyers on lists.customer_id = buyers.customer_id
left join bought
    on lists.customer_id = bought.customer_id
    and lists.product_id = bought.product_id
where lists.as_of = {{ day | bind }}::date
order by lists.customer_id, lists.rank
