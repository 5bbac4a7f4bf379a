-- What the checks of the raw data noted in the session that was written last: row ids grow with every insert.
select sentence
from {{ table | identifier }}
where
    status = 'note'
    and session_id = (select arg_max(session_id, rowid) from {{ table | identifier }})
order by check_name, source
