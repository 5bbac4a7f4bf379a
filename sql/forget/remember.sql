-- The ids of a person that are not listed yet.
select
    sha256({{ salt | bind }} || sha256(given.customer_id)) as customer_sha256,
    {{ salt | bind }} as salt,
    {{ now | bind }} as forgotten_at
from (select unnest({{ customers | bind }}::varchar[]) as customer_id) as given
where sha256({{ salt | bind }} || sha256(given.customer_id)) not in (select customer_sha256 from {{ forgotten | identifier }})
