select
    min(ordered_on) as first_order_on,
    max(ordered_on) as last_order_on
from {{ table | identifier }}
{% if as_of is not none %}
where ordered_on <= {{ as_of | bind }}
{% endif %}
