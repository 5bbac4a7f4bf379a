-- Rows of acknowledged batches leave the state: to be written anew, or for good.
delete from {{ state | identifier }}
where
    destination = {{ destination | bind }}
    and customer_id in (
        select planned.customer_id
        from {{ planned | identifier }} as planned
        inner join {{ acknowledged | identifier }} as acknowledged
            on planned.destination = acknowledged.destination and planned.batch = acknowledged.batch
        where
            planned.destination = {{ destination | bind }}
            and planned.action <> 'added'
            and not list_contains({{ unmarked | bind }}::varchar[], planned.customer_id)
    )
