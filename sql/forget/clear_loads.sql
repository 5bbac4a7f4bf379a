delete from {{ loads | identifier }}
