select events.*
{% if replaced is none %}
from {{ table | identifier }} as events
{% else %}
from (
    select * from {{ table | identifier }}
    union all by name
    -- What was replaced later still counted.
    select * exclude (replaced_on) from {{ replaced | identifier }} where replaced_on > {{ last_day | bind }}
) as events
{% endif %}
semi join (select unnest({{ customers | bind }}) as customer_id) as sampled
    on events.customer_id = sampled.customer_id
where
    events.{{ day | identifier }} <= {{ last_day | bind }}
{% if replaced is not none %}
    and events.recorded_on <= {{ last_day | bind }}
{% endif %}
