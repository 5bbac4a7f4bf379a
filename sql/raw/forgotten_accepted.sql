-- Rows of customers who are to be forgotten, as set aside: without their content.
select
    source,
    file,
    row_number,
    'forgotten_customer' as reason,
    '{}' as content,
    {{ session_id | bind }} as session_id
from {{ table | identifier }}
where
{% with subject = "customer_id" %}
    {% include "raw/parts/is_forgotten.sql" %}

{% endwith %}
