-- A file of rows per part. A customer's rows are in one part.
copy (
    select
        *,
        hash(customer_id) % {{ count | bind }} as part
    from {{ source | identifier }}
) to {{ folder | bind }} (format parquet, partition_by (part))
