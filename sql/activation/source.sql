-- Rows of the source: the key, and a hash of what sends a row again when it changes.
select
    cast(attributes.customer_id as varchar) as customer_id,
    left(sha256(cast(to_json(struct_pack(
        {{ key | identifier }} := attributes.customer_id
    {% for column in counted %}
        , {{ column.name | identifier }} := {% include "activation/value.sql" %}

    {% endfor %}
    )) as varchar)), 32) as payload_hash
from {{ attributes_table | identifier }} as attributes
{% include "activation/join_identifiers.sql" %}
