-- Changes that were acknowledged. Of who asked to be forgotten nothing is written down.
select
    planned.destination,
    planned.customer_id,
    planned.action,
    acknowledged.session_id,
    acknowledged."at"
from {{ planned | identifier }} as planned
inner join {{ acknowledged | identifier }} as acknowledged
    on planned.destination = acknowledged.destination and planned.batch = acknowledged.batch
where
    planned.destination = {{ destination | bind }}
    and list_contains(['added', 'changed', 'removed'], planned.action)
    and not list_contains({{ unlogged | bind }}::varchar[], planned.customer_id)
{% if forgotten_table is not none %}
{% with subject = ["planned", "customer_id"], forgotten = forgotten_table %}
    and not {% include "raw/parts/is_forgotten.sql" %}
{% endwith %}
{% endif %}
