-- All orders up to a day in one number, and the day of the earliest: equal numbers, equal orders.
select
    min(ordered_on) as first_order_on,
    count(*) as lines,
    sum(hash(customer_id, ordered_on, amount, is_return, is_product)::hugeint)::varchar as digest
from {{ table | identifier }}
where ordered_on <= {{ as_of | bind }}::date
