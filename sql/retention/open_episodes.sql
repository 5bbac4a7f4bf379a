-- Episodes that are not over, with the champion each began with.
select
    workflow
    , episode_id
    , model_version
from {{ table | identifier }}
where status = 'open'
order by workflow, episode_id
