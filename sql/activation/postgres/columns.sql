-- Columns of a table, whether a unique index is on them alone, and their types.
select
    attribute.attname as name
    , exists (
        select 1
        from pg_index as found
        where
            found.indrelid = attribute.attrelid
            and found.indisunique
            and found.indpred is null
            and found.indnkeyatts = 1
            and found.indkey[0] = attribute.attnum
    ) as is_unique
    , format_type(attribute.atttypid, null) as type_name
from pg_attribute as attribute
where attribute.attrelid = to_regclass(%(table)s) and attribute.attnum > 0 and not attribute.attisdropped
