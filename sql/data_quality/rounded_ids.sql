-- Order lines up to as_of whose id is a number that a spreadsheet has rounded, such as 1.23E+12, per kind of id.
select
    count(*)::bigint as lines,
    count(*) filter (where contains(customer_id, 'E+') and regexp_full_match(customer_id, {{ pattern | bind }}))::bigint as customer_lines,
    count(*) filter (where contains(order_id, 'E+') and regexp_full_match(order_id, {{ pattern | bind }}))::bigint as order_lines,
    count(*) filter (where contains(product_id, 'E+') and regexp_full_match(product_id, {{ pattern | bind }}))::bigint as product_lines
from {{ orders | identifier }}
where ordered_on <= {{ as_of | bind }}
