select features.*
from {{ table | identifier }} as features
semi join (select unnest({{ customers | bind }}) as customer_id) as sampled
    on features.customer_id = sampled.customer_id
where features.snapshot_date = {{ snapshot_date | bind }}
