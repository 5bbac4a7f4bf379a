-- Versions that scored, per workflow, the latest first.
select
    workflow
    , model_version
from {{ table | identifier }}
where status in ('scored', 'published', 'promoted') and model_version is not null
group by workflow, model_version
order by workflow, max(updated_at) desc, model_version
