-- Dead letters of customers whose row was taken now.
delete from {{ dead | identifier }}
where
    destination = {{ destination | bind }}
    and customer_id in (
        select planned.customer_id
        from {{ planned | identifier }} as planned
        inner join {{ acknowledged | identifier }} as acknowledged
            on planned.destination = acknowledged.destination and planned.batch = acknowledged.batch
        where
            planned.destination = {{ destination | bind }}
            and not list_contains({{ unmarked | bind }}::varchar[], planned.customer_id)
    )
