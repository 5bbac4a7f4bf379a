select
    mapping_sha256,
    mirrored_since
from {{ mappings | identifier }}
where destination = {{ destination | bind }}
