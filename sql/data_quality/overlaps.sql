-- Per file of orders with lines that another file holds too: its lines, those lines, their money, and one such other file; and of all
-- files together how many lines are counted once too often, and what they come to. A line is the same where order, customer, day,
-- product and amount are; days and not times, since exports write times differently.
-- Lines are compared by a hash of their content: among ten million the chance that it confuses any two is below one in 100,000.
with contents as (
    select
        file,
        hash(order_id, customer_id, ordered_on, product_id, amount) as content,
        count(*) as line_count,
        count(order_id) as order_ids,
        sum(amount) as money
    from {{ orders | identifier }}
    where ordered_on <= {{ as_of | bind }}
    group by all
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
    having count(*) > 1
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
    sum(contents.line_count)::bigint as lines,
    sum(contents.line_count) filter (where shared.content is not null)::bigint as found,
    (sum(contents.money) filter (where shared.content is not null))::double as money,
    any_value(surplus.surplus_lines) as surplus_lines,
    any_value(surplus.surplus_money) as surplus_money,
    any_value(surplus.surplus_order_lines) as surplus_order_lines
from contents
left join shared on contents.content = shared.content
cross join surplus
group by contents.file
having count(shared.content) > 0
order by found / lines desc, found desc, contents.file
