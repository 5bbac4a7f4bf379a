read_csv(
    {{ layout.read_path | bind }},
    auto_detect = false,
    header = false,
    skip = {{ layout.skipped_lines | bind }},
    delim = {{ csv.delimiter | bind }},
    quote = {{ csv.quote | bind }},
    escape = {{ (csv.escape or csv.quote) | bind }},
    nullstr = {{ null_values | bind }},
    compression = {{ layout.compression | bind }},
    hive_partitioning = false,
    columns = {{ csv_columns | bind }},
    {# A line that cannot be read is noted instead of ending the load: the file is then read record by record. #}
    store_rejects = true,
    rejects_table = 'csv_faults',
    rejects_scan = 'csv_scans',
    rejects_limit = 1
)
