-- Lines of the CSV file that the last statement could not read.
select count(*) as row_count
from temp.csv_faults
