-- Features of one part of the model: of several (buys, amount, expected ...) the one that combines them.
with parts as (
    select
        stage
        , feature
        , coalesce(shap, weight) as weight
        , sum(coalesce(shap, weight)) over (partition by stage) as total
        , dense_rank() over (order by starts_with(stage, 'expected') desc, stage) as place
    from {{ table | identifier }}
    where workflow = {{ workflow | bind }} and session_id = {{ session_id | bind }}
)

select
    split_part(feature, '__', 1) as feature
    , sum(weight / nullif(total, 0)) as share
from parts
where place = 1
group by split_part(feature, '__', 1)
-- What is shown as 0.0 % says nothing.
having share is null or share >= 0.0005
order by share desc nulls last, feature
limit {{ limit | bind }}
