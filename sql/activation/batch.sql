-- Rows of one batch as the destination is sent them, in the order of their keys.
select
    planned.customer_id as {{ key | identifier }}
{% for column in columns %}
    , {% include "activation/value.sql" %} as {{ column.name | identifier }}
{% endfor %}
from {{ planned_table | identifier }} as planned
{% if columns %}
inner join {{ attributes_table | identifier }} as attributes
    on planned.customer_id = attributes.customer_id
{% include "activation/join_identifiers.sql" %}
{% endif %}
where planned.destination = {{ destination | bind }} and planned.batch = {{ batch | bind }}
order by planned.customer_id
