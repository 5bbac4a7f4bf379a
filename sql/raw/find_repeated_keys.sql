{# Line keys of several rows: what is asked of them never looks at keys that occur once, nearly all of them. First by a hash, which
   takes half the time and memory of the keys. The few keys found are compared themselves. #}
create or replace temp table repeated_keys as
with
rows_of_keys as (
    select staged_line_key
    from staged_rows
    where
        staged_line_key is not null
        and {% include "raw/parts/is_state.sql" %}

),
repeated_hashes as (
    select hash(staged_line_key) as key_hash
    from rows_of_keys
    group by key_hash
    having count(*) > 1
)
select staged_line_key
from rows_of_keys
where hash(staged_line_key) in (select key_hash from repeated_hashes)
group by staged_line_key
having count(*) > 1
