-- A table of its own: counted in the statement of int_category_features, a million customers need more memory than they may take.
with

emptied_lines as (

    select
        snapshot_date,
        customer_id,
        file,
        row_number

    from {{ ref('int_netted_lines') }}
    where units_left = 0 and product_category is not null

),

to_recount as (

    select distinct
        snapshot_date,
        customer_id

    from emptied_lines

)

select
    to_recount.snapshot_date,
    to_recount.customer_id,
    sales.product_category,
    count(*) as lines,
    max(sales.ordered_at) as last_at

from to_recount
inner join {{ as_known('orders') }} as sales
    on to_recount.customer_id = sales.customer_id
    and to_recount.snapshot_date >= sales.ordered_on
anti join emptied_lines
    on to_recount.snapshot_date = emptied_lines.snapshot_date
    and sales.file = emptied_lines.file
    and sales.row_number = emptied_lines.row_number
where not sales.is_return and sales.product_category is not null
group by to_recount.snapshot_date, to_recount.customer_id, sales.product_category
