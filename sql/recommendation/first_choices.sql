-- Slots of the first rank: how many customers are shown something they know first.
select
    slot as prediction_category,
    count(*) as count
from {{ table | identifier }}
where rank = 1
group by slot
order by slot asc
