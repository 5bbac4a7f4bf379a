-- The chosen columns of every customer who may be exported, in the order of ids.
with compared as (
    select distinct cast(customer_id as varchar) as customer_id
    from {{ table | identifier }}
),

{% include "activation/parts/judged.sql" %}


select
    attributes.customer_id
{% for column in columns %}
    , attributes.{{ column | identifier }}
{% endfor %}
from {{ table | identifier }} as attributes
inner join judged on cast(attributes.customer_id as varchar) = judged.customer_id
where judged.exclusion is null
order by attributes.customer_id
