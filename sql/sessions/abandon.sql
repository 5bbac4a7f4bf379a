update {{ sessions_table | identifier }}
set status = 'abandoned'
where run_id in (select unnest({{ run_ids | bind }}::varchar[]))
