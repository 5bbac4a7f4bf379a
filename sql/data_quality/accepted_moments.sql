-- Some of the moments that were read, from anywhere in the files and the same ones each time.
select {{ moment | identifier }} as moment
from {{ table | identifier }}
order by hash(file, row_number), file, row_number
limit {{ most | bind }}
