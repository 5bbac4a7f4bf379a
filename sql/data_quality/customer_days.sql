-- Days up to as_of on which customers ordered for the first time or for the last time so far, and how many did.
with spans as (
    select
        min(ordered_on) as first_on,
        max(ordered_on) as last_on
    from {{ orders | identifier }}
    where ordered_on <= {{ as_of | bind }}
    group by customer_id
),

ends as (
    select
        first_on as day,
        count(*) as firsts,
        0 as lasts
    from spans
    group by first_on
    union all by name
    select
        last_on as day,
        0 as firsts,
        count(*) as lasts
    from spans
    group by last_on
)

select
    day,
    sum(firsts)::bigint as firsts,
    sum(lasts)::bigint as lasts
from ends
group by day
order by day
