{# What is the same for all rows of a file, such as its name, is added when the rows are accepted. #}
create or replace {% if not is_large %}temp {% endif %}table staged_rows (
{% for column in contract.columns if column.name not in constants %}
    {{ column.name | identifier }} {{ column.type | sql_type }},
{% endfor %}
    staged_file_position integer,
    staged_reason varchar,
    staged_content varchar
{% if has_key %}
    ,
    staged_line_key varchar,
    staged_updated_at timestamp,
    staged_content_hash ubigint
{% endif %}
{% if has_currencies %}
    ,
    staged_currency varchar
{% endif %}
{% if has_statuses %}
    ,
    staged_meaning enum('sale', 'return', 'void', 'ignore'),
    staged_meaning_from enum('declared', 'common', 'none')
{% endif %}
{% if by_order %}
    ,
    staged_order_group varchar,
    staged_refund decimal(18, 4)
{% endif %}
)
