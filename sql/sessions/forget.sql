delete from {{ table | identifier }}
where session_id in (
    select sessions.session_id
    from {{ sessions_table | identifier }} as sessions
    where sessions.run_id in (select unnest({{ run_ids | bind }}::varchar[]))
)
