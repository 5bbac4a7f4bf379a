    select
        line_number,
        fault,
        raw
{% for field in layout.fields if not field.is_of_folder %}
        , {{ ("field_" ~ loop.index0) | identifier }}
{% endfor %}
{% include "raw/parts/folder_values.sql" %}
    from read_parquet({{ layout.read_path | bind }}, hive_partitioning = false)
