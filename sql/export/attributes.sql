-- The chosen columns of every customer, in the order of ids.
select
    customer_id
{% for column in columns %}
    , {{ column | identifier }}
{% endfor %}
from {{ table | identifier }}
order by customer_id
