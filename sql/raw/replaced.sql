{# Earlier states that counted at the end of at least one day. #}
select
{% for column in contract.columns %}
    {% if column.name == "file" %}list_extract({{ files | bind }}::varchar[], staged.staged_file_position + 1) as file
    {%- elif column.name in constants %}{{ constants[column.name] | bind }} as {{ column.name | identifier }}
    {%- elif column.name in ("recorded_at", "recorded_on", "replaced_on") %}line_states.{{ column.name | identifier }}
    {%- else %}staged.{{ column.name | identifier }}
    {%- endif %}{% if not loop.last %},{% endif %}

{% endfor %}
from staged_rows as staged
inner join line_states
    on staged.staged_file_position = line_states.file_position and staged.row_number = line_states.row_number
where staged.staged_reason is null and line_states.recorded_on < line_states.replaced_on
