create or replace temp table dropped_rows (
    file_position integer,
    row_number bigint,
    reason varchar
)
