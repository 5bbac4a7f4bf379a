{# A key that names several lines of an order: they stay together, as the latest file that holds the key has them. #}
insert into dropped_rows
with
latest_files as (
    select
        staged_line_key,
        max(staged_file_position) as file_position
    from staged_rows
    where
        staged_line_key in (select staged_line_key from repeated_keys)
        and {% include "raw/parts/is_state.sql" %}

    group by staged_line_key
    having min(staged_file_position) < max(staged_file_position)
),
kept as (
    select distinct
        staged_rows.staged_line_key,
        staged_rows.staged_content_hash
    from staged_rows
    inner join latest_files
        on
            staged_rows.staged_line_key = latest_files.staged_line_key
            and staged_rows.staged_file_position = latest_files.file_position
    where {% include "raw/parts/is_state.sql" %}

)
select
    staged_rows.staged_file_position as file_position,
    staged_rows.row_number,
    case when kept.staged_line_key is null then 'superseded_line' else 'duplicate_line' end as reason
from staged_rows
inner join latest_files on staged_rows.staged_line_key = latest_files.staged_line_key
left join kept
    on
        staged_rows.staged_line_key = kept.staged_line_key
        and staged_rows.staged_content_hash = kept.staged_content_hash
where staged_rows.staged_reason is null and staged_rows.staged_file_position < latest_files.file_position
