-- Days up to a day on which anything was ordered.
select distinct ordered_on
from {{ table | identifier }}
where
    ordered_on <= {{ as_of | bind }}::date
    and is_product
    and not is_return
order by ordered_on
