drop table if exists temp.csv_scans
