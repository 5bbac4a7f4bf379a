-- Times of order lines of one file, those after a bound or those up to it; some of them, the same ones each time.
select ordered_at as moment
from {{ orders | identifier }}
where
    file = {{ file | bind }}
    and (ordered_at > {{ bound | bind }}) = {{ is_late | bind }}
order by hash(row_number), row_number
limit {{ most | bind }}
