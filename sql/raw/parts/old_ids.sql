{# Whether a staged row has an old id at its time. A row without a time has the latest. #}
staged_rows.customer_id = links.old_id
    and links.person <> links.old_id
{% if moment is none %}
    and links.valid_to is null
{% else %}
    and (links.valid_from is null or staged_rows.{{ moment | identifier }} >= links.valid_from)
    and (links.valid_to is null or staged_rows.{{ moment | identifier }} < links.valid_to)
{% endif %}
