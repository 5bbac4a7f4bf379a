select
    episode_id,
    told,
    alerted_at
from {{ table | identifier }}
where workflow = {{ workflow | bind }} and told <> ''
