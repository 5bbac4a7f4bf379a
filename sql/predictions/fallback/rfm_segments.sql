-- RFM segments alone, of customers whom no clustering has put into groups.
with rfm as (
    {% include "clustering/rfm.sql" %}

)

select
    {{ session_id | bind }} as session_id,
    {{ as_of | bind }}::date as as_of,
    customer_id,
    null::integer as cluster,
    null::varchar as segment_name,
    rfm_segment,
    rfm_score,
    r_quartile,
    f_quartile,
    m_quartile
from rfm
order by customer_id
