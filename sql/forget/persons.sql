-- The persons that an id leads to: itself where it is nobody's old id.
with recursive steps as (
    select {{ customer | bind }}::varchar as customer_id
    union
    select links.customer_id
    from steps
    inner join {{ links | identifier }} as links on steps.customer_id = links.old_id
)

select steps.customer_id
from steps
anti join {{ links | identifier }} as links on steps.customer_id = links.old_id
order by steps.customer_id
