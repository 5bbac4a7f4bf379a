-- Customers of whom nothing can be said, and why.
select
    customer_id
{% for column in columns %}
{% if column.name == "next_order_note" %}
    , {{ note | bind }} as {{ column.name | identifier }}
{% else %}
    , cast(null as {{ column.type | sql_type }}) as {{ column.name | identifier }}
{% endif %}
{% endfor %}
from {{ scores | identifier }}
