-- Rows of a batch, of all batches where it is NULL, that were refused, with why.
select
    planned.destination,
    planned.customer_id,
    planned.action,
    refused.code,
    refused.reason,
    refused.attempts,
    planned.row_hash,
    {{ session_id | bind }} as session_id,
    refused.first_at,
    {{ now | bind }}::timestamp as "at"
from {{ planned | identifier }} as planned
inner join (
    select
        unnest({{ customers | bind }}::varchar[]) as customer_id,
        unnest({{ codes | bind }}::varchar[]) as code,
        unnest({{ reasons | bind }}::varchar[]) as reason,
        unnest({{ attempts | bind }}::bigint[]) as attempts,
        unnest({{ firsts | bind }}::timestamp[]) as first_at
) as refused
    on planned.customer_id = refused.customer_id
where
    planned.destination = {{ destination | bind }}
    and ({{ batch | bind }}::bigint is null or planned.batch = {{ batch | bind }}::bigint)
order by planned.customer_id
