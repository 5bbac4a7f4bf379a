-- Histories of customers of one day, the same ones in every session: those with the smallest hash.
select
    customer_id{% for column in columns %},
    {{ column | identifier }}
{%- endfor %}

from {{ features_table | identifier }}
where snapshot_date = {{ day | bind }}::date
order by md5_number_lower(customer_id), customer_id
limit {{ most | bind }}
