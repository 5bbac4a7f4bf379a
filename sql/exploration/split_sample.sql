-- One row per customer, the customers whose salted id hashes lowest: rows that are independent of each other, the same every time.
-- The salt is this check's own: with the split's, the sample would be of one side only.
with keys as (
    select
        customer_id,
        arg_min(snapshot_date, md5('split check:' || snapshot_date::varchar || ':' || customer_id)) as snapshot_date
    from {{ table | identifier }}
    where split in ('train', 'test')
    group by customer_id
),

chosen as (
    select
        customer_id,
        snapshot_date
    from keys
    order by md5('split check:' || customer_id) asc, customer_id asc
    limit {{ rows | bind }}
)

select
    rows_of_table.split{% for column in columns %},

    rows_of_table.{{ column | identifier }}::double as {{ ("v" ~ loop.index0) | identifier }}
{%- endfor %}

from {{ table | identifier }} as rows_of_table
inner join chosen
    on rows_of_table.customer_id = chosen.customer_id
    and rows_of_table.snapshot_date = chosen.snapshot_date
where rows_of_table.split in ('train', 'test')
order by md5('split check:' || rows_of_table.customer_id) asc, rows_of_table.customer_id asc
