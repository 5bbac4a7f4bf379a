select
    mapping_sha256,
    mirrored_since,
    hash_form
from {{ mappings | identifier }}
where destination = {{ destination | bind }}
