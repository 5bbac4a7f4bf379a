-- The group a customer was put in, next to the RFM segment of the same day.
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
    names.segment_name,
    rfm.rfm_segment,
    rfm.rfm_score,
    rfm.r_quartile,
    rfm.f_quartile,
    rfm.m_quartile
from scored
inner join rfm on scored.customer_id = rfm.customer_id
left join {{ names_table | identifier }} as names on scored.cluster = names.cluster
order by scored.customer_id
