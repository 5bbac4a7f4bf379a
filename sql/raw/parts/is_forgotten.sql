{# Whether the column `subject` holds an id of a person who asked to be forgotten. The list holds salted hashes alone. #}
coalesce(
    sha256((select any_value(salt) from {{ forgotten | identifier }}) || sha256({{ subject | identifier }}))
    in (select customer_sha256 from {{ forgotten | identifier }}),
    false
)
