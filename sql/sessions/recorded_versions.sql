-- What each version of a workflow was when it was trained. A version trained again is the same, so any row of it will do.
select
    model_version
    , min(content_sha256) as content_sha256
from {{ table | identifier }}
where workflow = {{ workflow | bind }}
group by model_version
having count(distinct content_sha256) = 1
