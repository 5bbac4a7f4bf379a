create or replace temporary table {{ target | identifier }} as
select events.*
from {{ source | identifier }} as events
semi join {{ changed | identifier }} as changed
    on events.customer_id = changed.customer_id
