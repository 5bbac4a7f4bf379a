{# Every state of a line in turn: when it was recorded, and when the next one was. Equal rows in a row are one state. #}
create or replace temp table line_states as
with
in_turn as (
    select
        staged_file_position,
        row_number,
        staged_line_key,
        staged_reason,
        recorded_at,
        recorded_on,
        staged_updated_at,
        (lag(staged_content_hash) over states is distinct from staged_content_hash) as begins
    from staged_rows
    where
        staged_line_key in (select staged_line_key from repeated_keys)
        and {% include "raw/parts/is_state.sql" %}

    -- As in find_dropped.sql: the last one here is the one that stays.
    window states as (
        partition by staged_line_key order by staged_updated_at, staged_file_position, row_number
    )
)
select
    staged_file_position as file_position,
    row_number,
    staged_line_key as line_key,
    staged_reason as reason,
    recorded_at,
    recorded_on,
    lead(recorded_on) over (
        partition by staged_line_key order by staged_updated_at, staged_file_position, row_number
    ) as replaced_on
from in_turn
where begins
