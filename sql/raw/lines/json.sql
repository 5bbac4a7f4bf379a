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
