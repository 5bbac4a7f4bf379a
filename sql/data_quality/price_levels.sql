-- Per product of the orders up to as_of and decimal logarithm of what one piece came to, in tenths: its lines.
select
    product_id,
    round(10 * log10(abs(amount::double) / coalesce(nullif(abs(quantity::double), 0), 1)))::integer as level,
    count(*)::bigint as lines
from {{ orders | identifier }}
where ordered_on <= {{ as_of | bind }} and product_id is not null and is_product and amount <> 0
group by product_id, level
