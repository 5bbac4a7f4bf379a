-- Changes of acknowledged batches, which the state holds now.
delete from {{ planned | identifier }}
where
    destination = {{ destination | bind }}
    and batch in (
        select acknowledged.batch
        from {{ acknowledged | identifier }} as acknowledged
        where acknowledged.destination = {{ destination | bind }}
    )
