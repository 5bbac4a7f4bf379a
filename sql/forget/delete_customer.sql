delete from {{ table | identifier }}
where list_contains({{ customers | bind }}::varchar[], cast({{ column | identifier }} as varchar))
