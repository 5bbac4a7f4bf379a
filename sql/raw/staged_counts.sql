{# Rows per file, and the earliest time of those that are set aside because it is in the future. #}
select
    staged_file_position as file_position,
    count(*) as row_count,
{% if moment %}
    min({% if is_recorded %}greatest({{ moment | identifier }}, recorded_at){% else %}{{ moment | identifier }}{% endif %}) filter (where staged_reason = 'future_timestamp') as waits_until
{% else %}
    cast(null as timestamp) as waits_until
{% endif %}
from staged_rows
group by staged_file_position
