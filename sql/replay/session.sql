-- The latest session of a workflow of a day.
select
    session_id,
    model_version,
    status,
    note
from {{ table | identifier }}
where
    workflow = {{ workflow | bind }}
    and as_of = {{ as_of | bind }}::date
    and updated_at >= {{ since | bind }}::timestamp
order by updated_at desc, session_id
limit 1
