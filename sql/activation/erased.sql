delete from {{ state | identifier }}
where destination = {{ destination | bind }} and customer_id = {{ customer | bind }}
