alter table {{ table | identifier }} rename column {{ former_name | identifier }} to {{ name | identifier }}
