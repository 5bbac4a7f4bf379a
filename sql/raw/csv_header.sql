-- The first row of a CSV file, by the very options its rows are loaded with.
select *
from {% include "raw/parts/csv_rows.sql" %}

limit 1
