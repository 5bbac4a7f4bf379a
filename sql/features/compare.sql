with

recomputed as (

    select *, true as is_there from {{ recomputed | identifier }} where snapshot_date = {{ snapshot_date | bind }}

),

stored as (

    select *, true as is_there from {{ stored | identifier }}

)

select
    count(*) filter (where stored.is_there and recomputed.is_there) as compared_rows,
    count(*) filter (where recomputed.is_there is null) as only_stored,
    count(*) filter (where stored.is_there is null) as only_recomputed
{% for column in columns %},
    count(*) filter (
        where stored.is_there and recomputed.is_there
        and stored.{{ column | identifier }} is distinct from recomputed.{{ column | identifier }}
    ) as {{ ["different " ~ column] | identifier }}
{% endfor %}

from stored
full join recomputed
    on stored.customer_id = recomputed.customer_id
