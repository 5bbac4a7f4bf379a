select
    count(*) as customers,
    coalesce(sum(predicted_target), 0) as given,
    coalesce(sum(
        {% include "predictions/parts/moved.sql" %}
    ), 0) as moved
from {{ table | identifier }}
