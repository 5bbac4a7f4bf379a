-- Customers of a table, or of an export where a file is given, who may not be exported, by reason.
with compared as (
    select distinct cast(customer_id as varchar) as customer_id
    {% if file is none %}
    from {{ table | identifier }}
    {% else %}
    from read_parquet({{ file | bind }})
    {% endif %}
),

{% include "activation/parts/judged.sql" %}


select
    exclusion,
    count(*) as customers
from judged
where exclusion is not null
group by exclusion
order by exclusion
