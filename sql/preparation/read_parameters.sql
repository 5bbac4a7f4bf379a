select parameters from {{ table | identifier }}
