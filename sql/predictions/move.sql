-- Amounts are multiplied, of probabilities the odds: engines/level.py says the same.
update {{ table | identifier }}
set predicted_target =
    {% include "predictions/parts/moved.sql" %}
