{% if source_format == "csv" %}
    {# A header is read as a row like any other, so that the loader and the check of the header see the same one. #}
    select *
    from (
        select
            row_number() over () - cast({{ csv.header | bind }} as integer) as line_number,
            *
{% include "raw/parts/folder_values.sql" %}
        from {% include "raw/parts/csv_rows.sql" %}

    )
    where line_number > 0
{% elif source_format == "parquet" %}
    select
        file_row_number + 1 as line_number
{% if layout.footer_rows %}
        , case when file_row_number >= {{ (layout.row_count - layout.footer_rows) | bind }} then 'footer_row' end as fault
{% endif %}
{% for field in layout.fields if not field.is_of_folder %}
        , {% if field.type == "TIMESTAMPTZ_NS" %}cast({{ field.name | identifier }} as timestamptz){% else %}{{ field.name | identifier }}{% endif %} as {{ ("field_" ~ loop.index0) | identifier }}
{% endfor %}
{% include "raw/parts/folder_values.sql" %}
    from read_parquet({{ layout.read_path | bind }}, file_row_number = true, hive_partitioning = false)
{% elif source_format == "records" %}
    select
        line_number,
        fault,
        raw
{% for field in layout.fields if not field.is_of_folder %}
        , {{ ("field_" ~ loop.index0) | identifier }}
{% endfor %}
{% include "raw/parts/folder_values.sql" %}
    from read_parquet({{ layout.read_path | bind }}, hive_partitioning = false)
{% else %}
    select
        row_number() over () as line_number,
        json as document
{% if scalar_fields %}
        , case when list_has_any(json_type(json, {{ scalar_fields | bind }}), ['OBJECT', 'ARRAY']) then 'nested_value' end as fault
{% endif %}
{% include "raw/parts/folder_values.sql" %}
    from read_json_objects(
        {{ layout.read_path | bind }},
        format = 'newline_delimited',
        hive_partitioning = false,
        compression = {{ layout.compression | bind }}
    )
{% endif %}
