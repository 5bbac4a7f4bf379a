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
    and not exists (
        select 1 from {{ forgotten_table | identifier }} as forgotten
        where forgotten.customer_sha256 = sha256(planned.customer_id)
    )
{% endif %}
