select coalesce(max(rank), 0) as ranks from {{ table | identifier }}
