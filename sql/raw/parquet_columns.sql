describe select * from read_parquet({{ read_path | bind }})
