select
    episode_id,
    alerted_channels,
    alerted_at
from {{ table | identifier }}
where workflow = {{ workflow | bind }} and alerted_channels <> ''
