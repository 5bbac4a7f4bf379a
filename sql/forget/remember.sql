select
    sha256({{ customer | bind }}) as customer_sha256,
    {{ now | bind }} as forgotten_at
