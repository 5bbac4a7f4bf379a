-- Per file of orders with lines that equal a line of another file: its lines, those lines, their money, and one such other file.
-- Lines are compared by a hash of their content: among ten million the chance that it confuses any two is below one in 100,000.
with contents as (
    select
        file,
        hash(order_id, customer_id, ordered_at, product_id, quantity, amount) as content,
        count(*) as line_count,
        sum(amount) as money
    from {{ orders | identifier }}
    where ordered_on <= {{ as_of | bind }}
    group by all
),

shared as (
    select
        content,
        min(file) as first_file,
        max(file) as last_file
    from contents
    group by content
    having count(*) > 1
)

select
    contents.file,
    min(case when contents.file = shared.first_file then shared.last_file else shared.first_file end) as other_file,
    sum(contents.line_count)::bigint as lines,
    sum(contents.line_count) filter (where shared.content is not null)::bigint as found,
    cast(sum(contents.money) filter (where shared.content is not null) as double) as money
from contents
left join shared on contents.content = shared.content
group by contents.file
having count(shared.content) > 0
order by found / lines desc, found desc, contents.file
