    select
        file_row_number + 1 as line_number
{% if layout.footer_rows %}
        , case when file_row_number >= {{ (layout.row_count - layout.footer_rows) | bind }} then 'footer_row' end as fault
{% endif %}
{% for field in layout.fields if not field.is_of_folder %}
        , {% if field.type == "TIMESTAMPTZ_NS" %}cast({{ field.written | identifier }} as timestamptz){% else %}{{ field.written | identifier }}{% endif %} as {{ ("field_" ~ loop.index0) | identifier }}
{% endfor %}
{% include "raw/parts/folder_values.sql" %}
    from read_parquet({{ layout.read_path | bind }}, file_row_number = true, hive_partitioning = false)
