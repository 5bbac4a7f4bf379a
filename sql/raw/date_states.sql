{# A row that repeats its state was known since the first row of that state. #}
update staged_rows
set
    recorded_at = line_states.recorded_at,
    recorded_on = line_states.recorded_on
from line_states
where
    staged_rows.staged_line_key = line_states.line_key
    and line_states.replaced_on is null
    and staged_rows.staged_reason is null
