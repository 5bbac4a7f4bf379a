-- Tenths of the customers by expected spend at the latest day; 10 expects most.
with latest as (
    select
        customer_id
        , predicted_target
    from {{ predictions | identifier }}
    where as_of = (select max(as_of) from {{ predictions | identifier }}) and predicted_target is not null
)

, placed as (
    select
        predicted_target
        , ntile(10) over (order by predicted_target, customer_id) as decile
    from latest
)

select
    decile
    , count(*) as customers
    , cast(sum(predicted_target) as double) as amount
    , cast(avg(predicted_target) as double) as mean_amount
from placed
group by decile
order by decile desc
