-- Per file of orders with lines that another file holds too: its lines, those lines, their money, and one such other file; and of all
-- files together how many lines are counted once too often, and what they come to. A line is the same where order, customer, day,
-- product and amount are; days and not times, since exports write times differently.
-- Lines are compared by a hash of their content: among ten million the chance that it confuses any two is below one in 100,000.
with rows_read as (
    select
        file,
        hash(order_id, customer_id, ordered_on, product_id, amount) as content,
        order_id,
        amount
    from {{ orders | identifier }}
    where ordered_on <= {{ as_of | bind }}
),

-- Few contents are in two files: what the others hold is not added up.
repeated as (
    select content
    from rows_read
    group by content
    having min(hash(file)) < max(hash(file))
),

contents as (
    select
        rows_read.file,
        rows_read.content,
        count(*) as line_count,
        count(rows_read.order_id) as order_ids,
        sum(rows_read.amount) as money
    from rows_read
    semi join repeated on rows_read.content = repeated.content
    group by all
),

files as (
    select
        file,
        count(*) as line_count
    from rows_read
    group by file
),

shared as (
    select
        content,
        min(file) as first_file,
        max(file) as last_file,
        sum(line_count) - max(line_count) as surplus_lines,
        sum(money) - arg_max(money, line_count) as surplus_money,
        sum(order_ids) as order_ids
    from contents
    group by content
),

surplus as (
    select
        coalesce(sum(surplus_lines), 0)::bigint as surplus_lines,
        coalesce(sum(surplus_money), 0)::double as surplus_money,
        coalesce(sum(surplus_lines) filter (where order_ids > 0), 0)::bigint as surplus_order_lines
    from shared
)

select
    contents.file,
    min(case when contents.file = shared.first_file then shared.last_file else shared.first_file end) as other_file,
    any_value(files.line_count)::bigint as lines,
    sum(contents.line_count)::bigint as found,
    sum(contents.money)::double as money,
    any_value(surplus.surplus_lines) as surplus_lines,
    any_value(surplus.surplus_money) as surplus_money,
    any_value(surplus.surplus_order_lines) as surplus_order_lines
from contents
inner join shared on contents.content = shared.content
inner join files on contents.file = files.file
cross join surplus
group by contents.file
order by found / lines desc, found desc, contents.file
