select
    ordered_on as day,
    count(*) as line_count,
    {% if is_recorded %}min(recorded_on){% else %}cast(null as date){% endif %} as known_on
from {{ orders | identifier }}
group by ordered_on
order by ordered_on
