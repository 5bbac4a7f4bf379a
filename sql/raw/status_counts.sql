-- The statuses of a load with their rows and money, whatever they count as. A total that an order's lines share counts once.
with counted as (
    select
        staged.order_status,
        staged.staged_meaning as meaning,
        staged.staged_meaning_from as meaning_from,
{% if is_shared %}
        cast(staged.amount as double) / count(*) over (partition by staged.staged_order_group, staged.staged_meaning) as amount
{% else %}
        staged.amount
{% endif %}
    from staged_rows as staged
{% if has_dropped %}
    anti join dropped_rows as dropped
        on staged.staged_file_position = dropped.file_position
        and staged.row_number = dropped.row_number
        and dropped.reason in ('duplicate_line', 'superseded_line')
{% endif %}
{% if is_recorded %}
    where staged.staged_reason is distinct from 'recorded_later'
{% endif %}
)

select
    order_status,
    cast(meaning as varchar) as meaning,
    cast(meaning_from as varchar) as meaning_from,
    count(*) as row_count,
    cast(coalesce(sum(amount), 0) as decimal(38, 4)) as amount
from counted
group by all
order by row_count desc, order_status, meaning
limit {{ most | bind }}
