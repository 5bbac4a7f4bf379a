select
    source,
    content_sha256,
    declaration_sha256
from {{ loads | identifier }}
