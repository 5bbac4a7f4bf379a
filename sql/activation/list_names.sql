-- What the lines of a list are about: purposes or destinations, as written but for case, with lines and customers.
select
    nullif(lower(trim({{ column | identifier }})), '') as name,
    count(*) as line_count,
    count(distinct customer_id) as customers
from {{ list_table | identifier }}
group by name
order by line_count desc, name
