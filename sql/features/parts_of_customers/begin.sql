create or replace table {{ target | identifier }} as
select * from {{ part | identifier }} limit 0
