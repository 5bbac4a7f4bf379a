create or replace temp table staged_rows (
{% for column in contract.columns %}
    {{ column.name | identifier }} {{ column.type | sql_type }},
{% endfor %}
    staged_file_position integer,
    staged_reason varchar,
    staged_content varchar,
    staged_line_key varchar,
    staged_updated_at timestamp,
    staged_content_hash ubigint
)
