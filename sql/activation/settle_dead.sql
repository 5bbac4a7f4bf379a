-- Dead letters of customers whose row was taken now.
delete from {{ dead | identifier }}
where
    destination = {{ destination | bind }}
    and customer_id in (
        select planned.customer_id
        from {{ planned | identifier }} as planned
        where
            planned.destination = {{ destination | bind }}
            and ({{ batch | bind }}::bigint is null or planned.batch = {{ batch | bind }}::bigint)
            and not list_contains({{ unmarked | bind }}::varchar[], planned.customer_id)
    )
