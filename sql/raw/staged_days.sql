{# Lines per day of the rows that are read, with the first day on which one of them was recorded. #}
select
    ordered_on as day,
    {% if has_key %}count(distinct coalesce(staged_line_key, concat_ws(':', staged_file_position, row_number))){% else %}count(*){% endif %} as line_count,
    min(recorded_on) as known_on
from staged_rows
where staged_reason is null
group by ordered_on
order by ordered_on
