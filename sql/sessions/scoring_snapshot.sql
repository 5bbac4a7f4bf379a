select max(snapshot_date) as as_of from {{ table | identifier }} where is_scoring
