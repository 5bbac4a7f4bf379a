-- Net revenue by calendar month of the source's time zone.
select
    strftime(date_trunc('month', ordered_on), '%Y-%m') as month,
    sum(amount) as net_revenue
from {{ orders | identifier }}
group by 1
order by 1
