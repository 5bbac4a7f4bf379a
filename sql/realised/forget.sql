-- What was measured on train and test stays.
delete from {{ table | identifier }}
where
    session_id = {{ session_id | bind }}
    and workflow = {{ workflow | bind }}
    and evaluation_table = 'realised'
