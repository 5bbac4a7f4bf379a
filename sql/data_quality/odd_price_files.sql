-- Files with most lines of these products at these levels of price, and the first day of such a line.
with odd as (
    select
        unnest({{ products | bind }}) as product_id,
        unnest({{ levels | bind }}) as level
)

select
    lines.file,
    count(*)::bigint as lines,
    min(lines.ordered_on) as first_on
from {{ orders | identifier }} as lines
inner join odd
    on
        lines.product_id = odd.product_id
        and round(10 * log10(abs(lines.amount::double) / coalesce(nullif(abs(lines.quantity::double), 0), 1)))::integer = odd.level
where lines.ordered_on <= {{ as_of | bind }} and lines.is_product and lines.amount <> 0
group by lines.file
order by 2 desc, 1
