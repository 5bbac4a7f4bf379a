-- Days that features were taken at, the latest first, whose horizon has passed; with their customers.
select
    snapshot_date,
    count(*) as customers
from {{ features_table | identifier }}
where snapshot_date <= {{ until | bind }}
group by snapshot_date
order by snapshot_date desc
