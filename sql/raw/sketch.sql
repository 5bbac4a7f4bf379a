-- Some customers with the day of their first order: so many whose hashed ids come first, and those asked for.
with customers as (
    select
        left(md5(customer_id), 16) as customer,
        min(ordered_on) as first_day
    from {{ orders | identifier }}
    group by customer_id
)

select
    customer,
    first_day
from customers
where
    customer in (select unnest({{ wanted | bind }}::varchar[]))
    or customer in (
        select customer
        from customers
        order by customer
        limit {{ size | bind }}::bigint
    )
order by customer
