-- What a lifetime model needs of the customers of some days; rows in a fixed order.
select
    snapshot_date,
    customer_id{% for column in columns %},
    {{ column | identifier }}
{%- endfor %}

from {{ table | identifier }}
{% if snapshot_date is not none %}
where snapshot_date = {{ snapshot_date | bind }}
{% endif %}
order by snapshot_date, customer_id
