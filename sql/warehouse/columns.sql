select column_name, data_type
from information_schema.columns
where table_schema = {{ schema | bind }} and table_name = {{ table | bind }}
order by ordinal_position
