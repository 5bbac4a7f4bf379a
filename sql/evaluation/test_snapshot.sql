select max(snapshot_date) as snapshot_date from {{ table | identifier }} where split = 'test'
