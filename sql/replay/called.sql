-- Episodes that called for a retraining on a day.
select
    workflow,
    episode_id
from {{ table | identifier }}
where as_of = {{ as_of | bind }}::date and decision = 'retrain' and episode_id is not null
