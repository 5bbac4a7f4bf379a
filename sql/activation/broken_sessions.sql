-- Sessions written behind the published one whose data were found broken.
select distinct
    triage.session_id,
    triage.as_of
from {{ triage | identifier }} as triage
inner join {{ sessions | identifier }} as sessions
    on triage.session_id = sessions.session_id and triage.workflow = sessions.workflow
where
    triage.decision = 'data_quality'
    and (triage.session_id = {{ session_id | bind }} or sessions.updated_at > {{ updated_at | bind }}::timestamp)
    and list_contains({{ workflows | bind }}, triage.workflow)
order by triage.as_of, triage.session_id
