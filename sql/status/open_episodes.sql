-- Episodes that are open, the oldest first.
select
    workflow,
    kind,
    opened_as_of,
    last_as_of,
    retrain,
    sentence
from {{ episodes | identifier }}
where status = 'open'
order by opened_as_of, workflow, episode_id
