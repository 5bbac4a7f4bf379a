select count(*) as row_count
from staged_rows
where recorded_on > {{ known_on | bind }}
