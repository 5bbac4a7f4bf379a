-- Rows per source that were judged at the last load, and those refused for a fault. A row replaced by another of its key is
-- neither: every further full export of the same lines brings more of them. Nor is a row of a customer who was forgotten.
with refused as (
    select
        source,
        count(*) filter (where reason in ('duplicate_line', 'superseded_line', 'forgotten_customer')) as replaced_rows,
        count(*) filter (
            where
                reason not in (
                    'duplicate_line',
                    'superseded_line',
                    'forgotten_customer',
                    'void_status',
                    'ignored_status',
                    'excluded_kind'
                )
        ) as refused_rows,
        count(*) filter (where reason in ('void_status', 'ignored_status')) as void_rows
    from {{ rejected | identifier }}
    group by source
),

files as (
    select
        source,
        sum(rows_read)::bigint as read_rows,
        count(*) as file_count,
        min(declaration_sha256) as declaration_sha256
    from {{ loads | identifier }}
    group by source
)

select
    files.source,
    files.declaration_sha256,
    files.file_count,
    files.read_rows - coalesce(refused.replaced_rows, 0) as judged_rows,
    coalesce(refused.refused_rows, 0) as refused_rows,
    coalesce(refused.void_rows, 0) as void_rows
from files
left join refused on files.source = refused.source
order by files.source
