insert into {{ target | identifier }} by name
select * from {{ part | identifier }}
