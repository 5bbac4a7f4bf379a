-- Customers whom a workflow learns from at each day: who had ordered by then, recently and often enough.
select
    days.snapshot_date,
    lines.customer_id
from (select unnest({{ dates | bind }}::date[]) as snapshot_date) as days
inner join {{ orders | identifier }} as lines on days.snapshot_date >= lines.ordered_on
where not lines.is_return and lines.is_product
group by days.snapshot_date, lines.customer_id
having
    days.snapshot_date - max(lines.ordered_on)
    <= coalesce({{ ordered_within_days | bind }}::integer, days.snapshot_date - max(lines.ordered_on))
    and count(distinct lines.ordered_on) >= {{ min_orders | bind }}::integer
