-- How many levels a column had before the last window, and how many rows of the window have one it never had.
with levels as (
    select
        {{ column | identifier }} as level,
        min({{ day | identifier }}) as first_day,
        count(*) filter (where {{ day | identifier }} > {{ window_start | bind }}) as last_rows
    from {{ table | identifier }}
    where {{ day | identifier }} <= {{ as_of | bind }} and {{ column | identifier }} is not null
    group by {{ column | identifier }}
)

select
    count(*) filter (where first_day <= {{ window_start | bind }}) as known_levels,
    coalesce(sum(last_rows), 0)::bigint as last_rows,
    coalesce(sum(last_rows) filter (where first_day > {{ window_start | bind }}), 0)::bigint as new_rows
from levels
