-- The erasure of a person that was begun and not ended.
select erasure_id
from {{ erasures | identifier }}
where customer_sha256 = {{ customer_sha256 | bind }}
group by erasure_id
having count(*) filter (where kind = 'end') = 0
order by max("at") desc, erasure_id
limit 1
