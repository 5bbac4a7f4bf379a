alter table {{ table | identifier }} add column {{ name | identifier }} {{ type | sql_type }}
