delete from {{ table | identifier }}
where {{ column | identifier }} = {{ position | bind }}
