create schema if not exists {{ schema | identifier }}
