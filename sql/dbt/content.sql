-- What a table holds, whatever the order of its rows: equal rows give equal figures.
select
    count(*) as row_count,
    coalesce(sum(hash(content)), 0) as content
from {{ table | identifier }} as content
