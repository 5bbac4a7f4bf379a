{#
Whoever joins what customers did on a day with snapshot_days joins on this too: a past snapshot holds the customers drawn to learn
from, the scoring one everybody. Equality of one more column keeps it a hash join. NULL: a customer without an order, who is in neither.
#}
{% macro same_customers(events) -%}
snapshot_days.is_drawn is not distinct from {{ events }}.is_drawn
{%- endmacro %}
