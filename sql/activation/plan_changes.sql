-- The changes of a plan, numbered by batch: removals first.
select
    {{ destination | bind }} as destination,
    case
        when action = 'removed' then 1 + (place - 1) // {{ batch_rows | bind }}
        else {{ removal_batches | bind }} + 1 + (place - 1 - {{ removals | bind }}) // {{ batch_rows | bind }}
    end as batch,
    customer_id,
    action,
    row_hash
from (
    select
        sorted.*,
        -- Numbered as they come: a window with an order of its own takes twice the time of a sort.
        row_number() over () as place
    from (
        select
            customer_id,
            change as action,
            row_hash
        from plan_of_sync
        where list_contains({{ actions | bind }}, change)
        order by change <> 'removed', customer_id
    ) as sorted
) as changes
