-- What was found on every other day, by the latest session of each day and champion, oldest first.
with findings as (
    select
        *,
        row_number() over (partition by as_of, model_version order by measured_at desc) as place
    from {{ table | identifier }}
    where
        workflow = {{ workflow | bind }}
        and not (as_of = {{ day | bind }}::date and model_version = {{ model_version | bind }})
)

select
    session_id,
    as_of,
    model_version,
    decision,
    cause,
    severity,
    sentence,
    measured_at
from findings
where place = 1
order by as_of, measured_at
