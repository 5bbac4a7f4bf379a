read_csv(
    {{ layout.read_path | bind }},
    auto_detect = false,
    header = false,
    skip = {{ layout.skipped_lines | bind }},
    delim = {{ csv.delimiter | bind }},
    quote = {{ csv.quote | bind }},
    escape = {{ csv.quote | bind }},
    nullstr = {{ null_values | bind }},
    compression = {{ layout.compression | bind }},
    columns = {{ csv_columns | bind }}
)
