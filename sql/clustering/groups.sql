-- The groups of a session with their names, largest first.
select
    cluster,
    min(segment_name) as segment_name,
    count(*) as customers
from {{ table | identifier }}
where session_id = {{ session_id | bind }}
group by cluster
order by customers desc, cluster
