select table_type
from information_schema.tables
where table_schema = {{ schema | bind }} and table_name = {{ table | bind }}
