select * from {{ table | identifier }} limit 0
