-- What one customer ordered up to a day; without rows the counts are 0.
select
    count(distinct coalesce(order_id, cast(ordered_on as varchar))) as orders,
    count(*) as order_lines,
    sum(amount) as net_spend,
    coalesce(sum(amount) filter (where is_return), 0) as returned,
    min(ordered_on) as first_order_on,
    max(ordered_on) as last_order_on,
    max(currency) as currency
from {{ orders | identifier }}
where
    customer_id = {{ customer_id | bind }}
{% if until is not none %}
    and ordered_on <= {{ until | bind }}::date
{% endif %}
