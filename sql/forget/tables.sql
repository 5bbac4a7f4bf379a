-- Tables that have a column of customer ids; views follow the tables they read.
select
    found.schema_name,
    found.table_name,
    found.column_name
from duckdb_columns() as found
semi join duckdb_tables() as tables
    on
        found.database_name = tables.database_name
        and found.schema_name = tables.schema_name
        and found.table_name = tables.table_name
where
    found.database_name = current_database()
    and not found.internal
    and list_contains(['customer_id', 'old_id'], found.column_name)
order by found.schema_name, found.table_name, found.column_name
