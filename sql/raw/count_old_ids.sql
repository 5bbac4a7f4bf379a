-- Rows whose customer is an old id.
select count(*) as row_count
from staged_rows
inner join identity_links as links
    on {% include "raw/parts/old_ids.sql" %}
