-- Every schema, table and view of one database, with their rows, into another one that is empty.
copy from database {{ source | identifier }} to {{ target | identifier }}
