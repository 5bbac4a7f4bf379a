select
    count(*) as row_count
    , min(as_of) as first_as_of
    , max(as_of) as last_as_of
from {{ table | identifier }}
