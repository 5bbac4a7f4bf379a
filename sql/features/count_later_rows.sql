select count(*) as later_rows
from {{ table | identifier }} as events
semi join (select unnest({{ customers | bind }}) as customer_id) as sampled
    on events.customer_id = sampled.customer_id
where
    events.{{ day | identifier }} > {{ last_day | bind }}
{% if replaced is not none %}
    or events.recorded_on > {{ last_day | bind }}
{% endif %}
