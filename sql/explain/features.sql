-- The features of one customer at one day.
select *
from {{ features | identifier }}
where customer_id = {{ customer_id | bind }} and snapshot_date = {{ snapshot_date | bind }}::date
