drop table if exists temp.csv_faults
