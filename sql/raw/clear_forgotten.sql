-- Rows that were set aside for another reason keep it, and lose their content.
update {{ rejected | identifier }}
set content = '{}'
where
    source = {{ source | bind }}
    and sha256(trim(content ->> {{ pointer | bind }})) in (select customer_sha256 from {{ forgotten | identifier }})
