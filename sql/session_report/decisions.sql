select
    session_id
    , model_version
    , decision
    , cause
    , severity
    , sentence
    , episode_id
from {{ table | identifier }}
where workflow = {{ workflow | bind }} and list_contains({{ session_ids | bind }}, session_id)
