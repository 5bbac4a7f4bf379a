-- What an erasure removed where. Rows of several attempts at a table add up; a file that two attempts removed is one file.
select
    kind,
    place,
    case when kind = 'table' then sum(removed) else max(removed) end as removed,
    arg_max(status, "at") as status,
    arg_max(words, "at") as words,
    max("at") as "at"
from {{ erasures | identifier }}
where erasure_id = {{ erasure_id | bind }} and kind <> 'end'
group by kind, place
order by min("at"), kind, place
