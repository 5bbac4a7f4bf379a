-- Rows, and not the table: readers go on reading what was there until the transaction ends, and views and grants stay.
delete from {{ table | identifier }}
