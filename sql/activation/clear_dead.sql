delete from {{ dead | identifier }}
where destination = {{ destination | bind }} and list_contains({{ customers | bind }}::varchar[], customer_id)
