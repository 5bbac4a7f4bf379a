{% if source_format == "csv" %}
    select
        row_number() over () as line_number,
        *
    from read_csv(
        {{ layout.read_path | bind }},
        auto_detect = false,
        header = {{ csv.header | bind }},
        delim = {{ csv.delimiter | bind }},
        quote = {{ csv.quote | bind }},
        escape = {{ csv.quote | bind }},
        nullstr = {{ null_values | bind }},
        compression = {{ layout.compression | bind }},
        columns = {{ csv_columns | bind }}
    )
{% elif source_format == "parquet" %}
    select
        file_row_number + 1 as line_number
{% for field in layout.fields %}
        , {{ field.name | identifier }} as {{ ("field_" ~ loop.index0) | identifier }}
{% endfor %}
    from read_parquet({{ layout.read_path | bind }}, file_row_number = true)
{% else %}
    select
        row_number() over () as line_number,
        json as document
    from read_json_objects(
        {{ layout.read_path | bind }},
        format = 'newline_delimited',
        compression = {{ layout.compression | bind }}
    )
{% endif %}
