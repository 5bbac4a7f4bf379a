-- First day that anything was known of a person.
select min(ordered_on) as first_day
from {{ orders | identifier }}
where list_contains({{ customers | bind }}::varchar[], customer_id)
