select * from {{ table | identifier }}
