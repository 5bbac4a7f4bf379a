select
    count(*) as row_count,
    count(distinct customer_id) as customers,
    count_if(
        not isfinite({{ column | identifier }}::double)
        or {{ column | identifier }} < 0
        or {{ column | identifier }} > coalesce({{ highest | bind }}, {{ column | identifier }})
    ) as impossible,
    sum({{ column | identifier }})::double as total,
    (
        select count(*)
        from {{ features_table | identifier }}
        where snapshot_date = (select max(snapshot_date) from {{ snapshots_table | identifier }} where is_scoring)
    ) as known_customers
from {{ table | identifier }}
