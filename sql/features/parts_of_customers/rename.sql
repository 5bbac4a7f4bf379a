alter table {{ table | identifier }} rename to {{ name | identifier }}
