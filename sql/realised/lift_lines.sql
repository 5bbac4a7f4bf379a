-- The latest comparison of every workflow, as one line each.
select
    workflow,
    as_of,
    sentence
from {{ lift | identifier }}
where band = 'all'
qualify row_number() over (partition by workflow order by as_of desc, session_id) = 1
order by workflow
