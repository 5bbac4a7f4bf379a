select count(*) as row_count
from {{ features_table | identifier }}
where snapshot_date in (select unnest({{ dates | bind }}::date[]))
