-- A list of consent or suppression in figures.
select
    count(*) as line_count,
    count(distinct listed.customer_id) as customers,
    count(distinct listed.customer_id) filter (where known.customer_id is not null) as known_customers,
    count(*) filter (where listed.allowed is null or list_contains({{ granted | bind }}, lower(trim(listed.allowed)))) as granted_lines
from {{ list_table | identifier }} as listed
left join (select distinct cast(customer_id as varchar) as customer_id from {{ known_table | identifier }}) as known
    on listed.customer_id = known.customer_id
