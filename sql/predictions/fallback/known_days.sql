-- Which of the given days features were taken at.
select distinct snapshot_date
from {{ features_table | identifier }}
where snapshot_date in (select unnest({{ days | bind }}::date[]))
order by snapshot_date desc
