-- The latest session of a workflow that got as far as scoring; if none did, the latest of all.
select
    session_id
    , cast(as_of as date) as as_of
    , engine
    , model_version
    , status
    , note
from {{ table | identifier }}
where workflow = {{ workflow | bind }}
order by
    coalesce(status in ('scored', 'published'), false) desc
    , updated_at desc
    , session_id
limit 1
