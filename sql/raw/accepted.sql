select
{% for column in contract.columns %}
    {% if column.name == "file" %}list_extract({{ files | bind }}::varchar[], staged.staged_file_position + 1) as file
    {%- elif column.name in constants %}{{ constants[column.name] | bind }} as {{ column.name | identifier }}
    {%- else %}{% if has_shares and column.name == "amount" %}order_amounts{% else %}staged{% endif %}.{{ column.name | identifier }}
    {%- endif %}{% if not loop.last %},{% endif %}

{% endfor %}
from staged_rows as staged
{% if has_dropped %}
anti join dropped_rows as dropped
    on staged.staged_file_position = dropped.file_position and staged.row_number = dropped.row_number
{% endif %}
{% if has_shares %}
inner join order_amounts
    on staged.staged_file_position = order_amounts.file_position and staged.row_number = order_amounts.row_number
{% endif %}
where staged.staged_reason is null
