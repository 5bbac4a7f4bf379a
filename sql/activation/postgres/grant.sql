grant select on {{ table | identifier }} to {{ role | identifier }}
