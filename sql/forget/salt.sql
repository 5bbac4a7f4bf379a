-- What is put before ids before they are hashed; one for all.
select any_value(salt) as salt
from {{ forgotten | identifier }}
