-- Customers of one day with what a fallback reads of them.
select
    customer_id{% for column in columns %},
    {{ column | identifier }}
{%- endfor %}

from {{ features_table | identifier }}
where snapshot_date = {{ day | bind }}::date
order by customer_id
