-- Share of the model's importance per prepared feature, of the whole model: the stage written first.
select
    feature,
    shap
from {{ table | identifier }}
where
    session_id = {{ session_id | bind }}
    and workflow = {{ workflow | bind }}
    and stage = (
        select arg_min(stage, rowid)
        from {{ table | identifier }}
        where session_id = {{ session_id | bind }} and workflow = {{ workflow | bind }}
    )
