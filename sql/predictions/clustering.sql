-- The group a customer was put in, beside the RFM segment of the same day.
with scored as (
    select
        customer_id,
        predicted_target::integer as cluster
    from {{ scores | identifier }}
),

rfm as (
    {% include "clustering/rfm.sql" %}

)

select
    {{ session_id | bind }} as session_id,
    {{ as_of | bind }}::date as as_of,
    scored.customer_id,
    scored.cluster,
    rfm.rfm_segment,
    rfm.rfm_score,
    rfm.r_quartile,
    rfm.f_quartile,
    rfm.m_quartile
from scored
inner join rfm on scored.customer_id = rfm.customer_id
order by scored.customer_id
