-- Line keys that several lines of one file share though they are different lines: of one moment and status, with other amounts.
select count(*) as key_count
from (
    select staged_line_key
    from staged_rows
    where staged_reason is null and staged_line_key in (select staged_line_key from repeated_keys)
    group by staged_line_key, staged_file_position, ordered_at, order_status
    having min(amount) < max(amount)
)
