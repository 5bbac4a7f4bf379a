select max(updated_at) as updated_at from {{ table | identifier }}
