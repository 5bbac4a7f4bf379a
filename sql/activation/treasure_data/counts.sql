-- Rows and customers of a table in Treasure Data, by the sync that wrote them.
select
    sync_id
    , count(*) as row_count
    , count(distinct {{ key | identifier }}) as customers
from {{ table | identifier }}
group by sync_id
