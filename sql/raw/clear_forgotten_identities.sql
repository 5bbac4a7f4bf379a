-- Rows of the identities that were set aside keep their reason, and lose their content.
update {{ rejected | identifier }}
set content = '{}'
where
    source = {{ source | bind }}
    and (file, row_number) in (
        select (identity_rows.file, identity_rows.line_number)
        from identity_rows
        where
{% with subject = ["identity_rows", "old_id"] %}
            {% include "raw/parts/is_forgotten.sql" %}
{% endwith %}

{% with subject = ["identity_rows", "person"] %}
            or {% include "raw/parts/is_forgotten.sql" %}
{% endwith %}

    )
