-- How many rows a Parquet file holds, and two hashes of them that do not depend on their order.
select
    count(*) as row_count,
    coalesce(sum(hash(content)), 0) as content,
    coalesce(bit_xor(hash(content, 1)), 0) as other_content
from read_parquet({{ path | bind }}, hive_partitioning = false) as content
