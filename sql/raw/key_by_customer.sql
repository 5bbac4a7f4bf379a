-- Accounts that were merged have one row in raw.customers.
update staged_rows
set staged_line_key = cast(json_array(customer_id) as varchar)
where staged_line_key is not null
