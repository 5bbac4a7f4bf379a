{# The rows that a later or equal one of the same key replaces: read again, so that content is not kept for every row. #}
with
lines as (
{% include "raw/lines/" ~ source_format ~ ".sql" %}
)
select
    {{ table | bind }} as source,
    {{ layout.name | bind }} as file,
    lines.line_number as row_number,
    dropped.reason,
    {% include "raw/parts/content.sql" %} as content,
    {{ session_id | bind }} as session_id
from lines
inner join dropped_rows as dropped
    on dropped.file_position = {{ layout.position | bind }} and lines.line_number = dropped.row_number
