delete from {{ table | identifier }}
where cast(customer_id as varchar) = {{ customer | bind }}
