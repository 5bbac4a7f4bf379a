create or replace temporary table {{ target | identifier }} as
select * from {{ source | identifier }} limit 0
