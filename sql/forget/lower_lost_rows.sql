-- What a later session must find again of the orders: less by the lines of a person, who is about to be deleted.
update {{ quality | identifier }} as found
set value = found.value - gone.row_count
from (
    select
        sessions.session_id,
        sessions.workflow,
        count(*) as row_count
    from {{ sessions | identifier }} as sessions
    inner join {{ orders | identifier }} as orders on orders.ordered_on <= cast(sessions.as_of as date)
    where list_contains({{ customers | bind }}::varchar[], orders.customer_id)
    group by sessions.session_id, sessions.workflow
) as gone
where
    found.session_id = gone.session_id
    and found.workflow = gone.workflow
    and found.check_name = 'lost_rows'
    and found.source = {{ source | bind }}
