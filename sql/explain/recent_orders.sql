-- The latest orders of one customer up to a day.
select
    ordered_on,
    order_id,
    count(*) as lines,
    sum(amount) as amount
from {{ orders | identifier }}
where
    customer_id = {{ customer_id | bind }}
{% if until is not none %}
    and ordered_on <= {{ until | bind }}::date
{% endif %}
group by ordered_on, order_id
order by ordered_on desc, order_id
limit {{ limit | bind }}::bigint
