{# Of the rows of one line key the latest stays. #}
insert into dropped_rows
with
ranked as (
    select
        staged_file_position,
        row_number as line_number,
        staged_reason,
        staged_content_hash,
        first_value(staged_content_hash) over latest_first as kept_hash,
        row_number() over latest_first as place
    from staged_rows
    where
        staged_line_key in (select staged_line_key from repeated_keys)
        and {% include "raw/parts/is_state.sql" %}

    window latest_first as (
        partition by staged_line_key
        order by staged_updated_at desc nulls last, staged_file_position desc, row_number desc
    )
)
select
    staged_file_position as file_position,
    line_number as row_number,
    case when staged_content_hash = kept_hash then 'duplicate_line' else 'superseded_line' end as reason
from ranked
where place > 1 and staged_reason is null
