-- Reads every field of a CSV file, and fails where its lines cannot be told apart.
select max(length(columns(*)))
from {% include "raw/parts/csv_rows.sql" %}

