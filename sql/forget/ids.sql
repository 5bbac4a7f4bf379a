-- A person and every old id that leads to that person alone: one that was another's at another time stays that one's.
with recursive steps as (
    select {{ customer | bind }}::varchar as customer_id
    union
    select links.old_id
    from steps
    inner join {{ links | identifier }} as links on steps.customer_id = links.customer_id
)

select steps.customer_id
from steps
where
    not exists (
        select 1
        from {{ links | identifier }} as links
        where
            links.old_id = steps.customer_id
            and links.customer_id not in (select own.customer_id from steps as own)
    )
order by steps.customer_id
