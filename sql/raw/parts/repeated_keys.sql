{# Line keys of several states: what is asked of them never looks at keys that occur once, nearly all of them. #}
repeated_keys as (
    select staged_line_key
    from staged_rows
    where
        staged_line_key is not null
        and {% include "raw/parts/is_state.sql" %}

    group by staged_line_key
    having count(*) > 1
),
