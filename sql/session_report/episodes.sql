select
    episode_id
    , kind
    , status
    , model_version
    , opened_as_of
    , last_as_of
    , closed_as_of
    , alarms
    , retrain
    , cause
    , severity
    , sentence
    , alerted_at
from {{ table | identifier }}
where workflow = {{ workflow | bind }} and opened_as_of <= cast({{ as_of | bind }} as date)
order by status = 'open' desc, opened_as_of desc, episode_id
limit {{ limit | bind }}
