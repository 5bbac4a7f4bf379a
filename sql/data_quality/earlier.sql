-- What the session before found: the latest other session up to as_of without an alarm; of several that stand at the same
-- day the one written last (row ids grow with every insert).
with sessions_found as (
    select
        found.session_id,
        any_value(cast(sessions.as_of as date)) as as_of,
        max(found.rowid) as last_row
    from {{ table | identifier }} as found
    inner join {{ sessions_table | identifier }} as sessions
        on found.session_id = sessions.session_id and found.workflow = sessions.workflow
    where
        found.workflow = {{ workflow | bind }}
        and found.session_id <> {{ session_id | bind }}
        and cast(sessions.as_of as date) <= {{ as_of | bind }}
    group by found.session_id
    having not bool_or(found.status = 'alarm')
),

latest as (
    select
        session_id,
        as_of
    from sessions_found
    order by as_of desc, last_row desc
    limit 1
)

select
    latest.as_of,
    found.check_name,
    found.source,
    found.value
from {{ table | identifier }} as found
inner join latest on found.session_id = latest.session_id
where found.workflow = {{ workflow | bind }} and found.value is not null
order by found.check_name, found.source
