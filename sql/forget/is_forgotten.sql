select count(*) as row_count
from {{ forgotten | identifier }}
where customer_sha256 = sha256({{ salt | bind }} || sha256({{ customer | bind }}))
