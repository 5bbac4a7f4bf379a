create table {{ incoming | identifier }} (like {{ table | identifier }} including defaults including indexes)
