delete from {{ table | identifier }}
-- A copy of a customer's rows, as they were known on a day, has the id behind the character 0 (dbt_project/macros/as_known.sql).
where list_contains({{ customers | bind }}::varchar[], string_split(cast({{ column | identifier }} as varchar), chr(0))[-1])
