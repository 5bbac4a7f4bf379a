-- What a lifetime model needs of the customers of some days; rows in a fixed order.
select
    snapshot_date,
    customer_id{% for column in columns %},
    {{ column | identifier }}
{%- endfor %}

from {{ table | identifier }}
where true
{% if snapshot_date is not none %}
    and snapshot_date = {{ snapshot_date | bind }}
{% endif %}
{% if sample_share < 1 %}
    and (md5_number_lower('sample:' || customer_id) % 1000000)::double / 1000000 < {{ sample_share | bind }}
{% endif %}
order by snapshot_date, customer_id
