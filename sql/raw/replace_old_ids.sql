-- The person in place of an old id.
update staged_rows
set customer_id = links.person
from identity_links as links
where {% include "raw/parts/old_ids.sql" %}
