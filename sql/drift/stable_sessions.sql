-- Stable sessions before a day, the latest of each day, newest first.
with findings as (
    select
        session_id,
        as_of,
        model_version,
        decision,
        row_number() over (partition by as_of order by measured_at desc) as place
    from {{ table | identifier }}
    where
        workflow = {{ workflow | bind }}
        and as_of < {{ day | bind }}::date
)

select
    session_id,
    model_version
from findings
where place = 1 and decision in ('nothing', 'report')
order by as_of desc
limit {{ most | bind }}
