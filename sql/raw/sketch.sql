-- Some customers with the day of their first order: those whose hashed ids come first, or those asked for.
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
{% if wanted is not none %}
where customer in (select unnest({{ wanted | bind }}::varchar[]))
{% endif %}
order by customer
{% if wanted is none %}
limit {{ size | bind }}::bigint
{% endif %}
