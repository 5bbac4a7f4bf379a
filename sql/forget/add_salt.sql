-- Entries of an older version are hashes without salt.
update {{ forgotten | identifier }}
set salt = {{ salt | bind }}, customer_sha256 = sha256({{ salt | bind }} || customer_sha256)
where salt is null
