-- Rows of the source: the key, and a hash of what sends a row again when it changes. 127 bits of two hashes in either order of the
-- columns: a change of one column alone is never missed. DuckDB may change its hash in a later version, which then sends every row once.
select
    cast(attributes.customer_id as varchar) as customer_id,
    (
        cast(hash(
            attributes.customer_id
        {% for column in counted %}
            , {% include "activation/value.sql" %}

        {% endfor %}
        ) >> 1 as hugeint) << 64
    ) + hash(
    {% for column in counted | reverse %}
        {% include "activation/value.sql" %},
    {% endfor %}
        attributes.customer_id
    ) as row_hash
from {{ attributes_table | identifier }} as attributes
{% include "activation/join_identifiers.sql" %}
