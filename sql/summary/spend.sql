-- What the scored customers are expected to spend, and how much of it the top tenth holds.
with ranked as (
    select
        predicted_target
        , 10 * row_number() over (order by predicted_target, customer_id) > 9 * count(*) over () as is_top_tenth
    from {{ table | identifier }}
    where session_id = {{ session_id | bind }} and predicted_target is not null
)

select
    count(*) as customers
    , sum(predicted_target) as expected_spend
    , sum(predicted_target) filter (where is_top_tenth) as top_tenth_spend
from ranked
