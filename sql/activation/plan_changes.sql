-- The changes of a plan, numbered by batch: removals first.
select
    {{ destination | bind }} as destination,
    1 + (row_number() over (partition by change = 'removed' order by customer_id) - 1) // {{ batch_rows | bind }}
    + case when change = 'removed' then 0 else {{ removal_batches | bind }} end as batch,
    customer_id,
    change as action,
    payload_hash
from plan_of_sync
where list_contains({{ actions | bind }}, change)
order by batch, customer_id
