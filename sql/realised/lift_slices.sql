-- Days whose groups are kept and whose horizon has passed.
select
    as_of,
    min(session_id) as session_id
from {{ history | identifier }}
where
    target = {{ target | bind }}
    and as_of + {{ horizon_days | bind }}::integer <= {{ until | bind }}::date
group by as_of
order by as_of
