create or replace temporary table {{ target | identifier }} as
select *
from read_parquet({{ files | bind }}, hive_partitioning = false)
