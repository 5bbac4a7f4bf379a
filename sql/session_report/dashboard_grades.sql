-- Customers per grade at the latest day, with the mean probability.
select
    grade
    , count(*) as customers
    , avg(probability) as mean_probability
from {{ predictions | identifier }}
where as_of = (select max(as_of) from {{ predictions | identifier }}) and grade is not null
group by grade
order by grade
