-- Columns of a table, and whether a unique index is on the key alone.
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
from pg_attribute as attribute
where attribute.attrelid = to_regclass(%(table)s) and attribute.attnum > 0 and not attribute.attisdropped
