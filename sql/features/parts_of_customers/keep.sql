copy (
    select *
    from {{ table | identifier }}
{% if is_empty %}
    limit 0
{% endif %}
) to {{ file | bind }} (format parquet)
