-- Of the known customers, how many a destination may be sent, and why not the others.
with compared as (
    select distinct cast(customer_id as varchar) as customer_id
    from {{ known_table | identifier }}
),

{% include "activation/parts/judged.sql" %}


select
    count(*) as known,
    count(*) filter (where exclusion = 'forgotten') as forgotten,
    count(*) filter (where exclusion = 'suppressed') as suppressed,
    count(*) filter (where exclusion = 'no_consent' and has_line) as refused,
    count(*) filter (where exclusion = 'no_consent' and not has_line) as unknown,
    count(*) filter (where exclusion is null) as left_to_send
from judged
