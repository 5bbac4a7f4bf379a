-- Customers whose rows are not those of the last build, or of whom it left out rows because they lie behind its day.
create or replace temporary table {{ changed | identifier }} as
select coalesce(reads.customer_id, last_reads.customer_id) as customer_id
from {{ read | identifier }} as reads
full join {{ last_read | identifier }} as last_reads
    on reads.customer_id = last_reads.customer_id
where
    reads.row_count is distinct from last_reads.row_count
    or reads.content is distinct from last_reads.content
    or last_reads.last_on > {{ last_day | bind }}::date
