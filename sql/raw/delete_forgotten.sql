delete from {{ table | identifier }}
where sha256(customer_id) in (select customer_sha256 from {{ forgotten | identifier }})
