-- How far every column moved from session to session.
select
    kind,
    column_name,
    list(psi_previous order by session_id) as steps
from {{ table | identifier }}
where
    workflow = {{ workflow | bind }}
    and session_id in (select unnest({{ session_ids | bind }}::varchar[]))
    and psi_previous is not null
group by kind, column_name
