-- Batches that are to be sent, in their order.
select
    batch,
    count(*) as row_count,
    count(*) filter (where action = 'removed') as removed,
    count(*) filter (where action = 'added') as added,
    count(*) filter (where action = 'changed') as changed,
    cast(sum(hash(customer_id, action, row_hash)) as varchar) as digest
from {{ planned | identifier }}
where destination = {{ destination | bind }}
group by batch
order by batch
