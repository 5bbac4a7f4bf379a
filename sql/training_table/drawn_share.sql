-- Share of the customers that the feature table holds at these days.
select coalesce(min(customer_share), 1) as customer_share
from {{ snapshots | identifier }}
where snapshot_date in (select unnest({{ dates | bind }}::date[]))
