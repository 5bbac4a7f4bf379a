select
{% for column in contract.columns %}
    {% if has_shares and column.name == "amount" %}order_amounts{% else %}staged{% endif %}.{{ column.name | identifier }}{% if not loop.last %},{% endif %}

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
