select num_rows as row_count
from parquet_file_metadata({{ read_path | bind }})
