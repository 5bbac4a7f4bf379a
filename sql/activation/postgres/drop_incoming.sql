drop table if exists {{ incoming | identifier }}
