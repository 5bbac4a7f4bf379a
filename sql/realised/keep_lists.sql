-- The lists of the same customers in every session.
with kept as (
    select customer_id
    from {{ predictions_table | identifier }}
    group by customer_id
    order by md5_number_lower('keep:' || customer_id), customer_id
    limit {{ customers | bind }}
)

select
    {{ session_id | bind }} as session_id,
    {{ as_of | bind }}::date as as_of,
    {{ model_version | bind }} as model_version,
    {{ target | bind }} as target,
    predictions.customer_id,
    predictions.rank,
    predictions.product_id,
    predictions.slot = 'discover' as is_new
from {{ predictions_table | identifier }} as predictions
semi join kept on predictions.customer_id = kept.customer_id
order by predictions.customer_id, predictions.rank
