select
    count(*) as customers,
    coalesce(sum(predicted_target), 0) as given,
    coalesce(sum(predicted_target * (1 - predicted_target)), 0) as spread,
    coalesce(sum(
        {% include "predictions/parts/moved.sql" %}
    ), 0) as moved
from {{ table | identifier }}
