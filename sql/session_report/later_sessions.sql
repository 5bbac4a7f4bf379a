-- Sessions that stand at a later day: with one of them, this report is not the latest.
select count(*) as later
from {{ table | identifier }}
where
    workflow = {{ workflow | bind }}
    and status is distinct from 'abandoned'
    and cast(as_of as date) > cast({{ as_of | bind }} as date)
