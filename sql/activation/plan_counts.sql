-- The plan in figures, with a digest that is equal for equal changes.
select
    change,
    exclusion,
    count(*) as row_count,
    count(*) filter (where is_in_source) as source_rows,
    count(*) filter (where is_there) as known_rows,
    cast(sum(hash(customer_id, row_hash)) as varchar) as digest
from plan_of_sync
group by change, exclusion
order by change, exclusion
