-- Changes of a batch that were acknowledged. Of who asked to be forgotten nothing is written down.
select
    planned.destination,
    planned.customer_id,
    planned.action,
    {{ session_id | bind }} as session_id,
    {{ now | bind }}::timestamp as "at"
from {{ planned | identifier }} as planned
where
    planned.destination = {{ destination | bind }}
    and ({{ batch | bind }}::bigint is null or planned.batch = {{ batch | bind }}::bigint)
    and list_contains(['added', 'changed', 'removed'], planned.action)
    and not list_contains({{ unlogged | bind }}::varchar[], planned.customer_id)
{% if forgotten_table is not none %}
{% with subject = ["planned", "customer_id"], forgotten = forgotten_table %}
    and not {% include "raw/parts/is_forgotten.sql" %}
{% endwith %}
{% endif %}
