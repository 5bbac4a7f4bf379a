select
{% for column in contract.columns %}
    staged.{{ column.name | identifier }}{% if not loop.last %},{% endif %}

{% endfor %}
from staged_rows as staged
{% if has_dropped %}
anti join dropped_rows as dropped
    on staged.staged_file_position = dropped.file_position and staged.row_number = dropped.row_number
{% endif %}
where staged.staged_reason is null
