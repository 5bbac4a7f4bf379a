-- Rows of a batch that were acknowledged leave the state: to be written anew, or for good.
delete from {{ state | identifier }}
where
    destination = {{ destination | bind }}
    and customer_id in (
        select planned.customer_id
        from {{ planned | identifier }} as planned
        where
            planned.destination = {{ destination | bind }}
            and ({{ batch | bind }}::bigint is null or planned.batch = {{ batch | bind }}::bigint)
            and planned.action <> 'added'
            and not list_contains({{ unmarked | bind }}::varchar[], planned.customer_id)
    )
