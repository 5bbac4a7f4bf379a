-- Dead letters of customers who would not be sent any more.
delete from {{ dead | identifier }} as dead
where
    dead.destination = {{ destination | bind }}
    and not exists (
        select 1 from {{ attributes_table | identifier }} as attributes
        where attributes.customer_id = dead.customer_id
    )
    and not exists (
        select 1 from {{ state | identifier }} as state
        where state.destination = {{ destination | bind }} and state.customer_id = dead.customer_id
    )
