-- Destinations whose sync ended before its acknowledged batches were in the state.
select distinct destination
from {{ acknowledged | identifier }}
order by destination
