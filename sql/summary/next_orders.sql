-- What the customers of a session do next, in all.
select
    count(expected_orders) as customers,
    coalesce(sum(expected_orders), 0)::double as orders,
    coalesce(sum(probability_active), 0)::double as active,
    count_if(days_overdue > usual_gap_days) as overdue,
    count(days_overdue) as with_rhythm,
    any_value(next_order_note) filter (where expected_orders is null) as note
from {{ table | identifier }}
where session_id = {{ session_id | bind }}
