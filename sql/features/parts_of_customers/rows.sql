select *
from read_parquet({{ files | bind }}, hive_partitioning = false)
