select
    count(*) as customers,
    coalesce(sum(probability), 0)::double as expected
from {{ table | identifier }}
where session_id = {{ session_id | bind }}
