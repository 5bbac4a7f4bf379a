-- Amounts are multiplied, of probabilities the odds: engines/level.py says the same.
update {{ table | identifier }}
set predicted_target = -- noqa: LT03
    {% include "predictions/parts/moved.sql" %}
