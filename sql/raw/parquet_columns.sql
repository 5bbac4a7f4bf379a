describe select * from read_parquet({{ read_path | bind }}, hive_partitioning = false)
