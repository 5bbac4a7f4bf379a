-- Order lines of the last window and of the ones before it, and how many of them equal another line of their window. Lines
-- are met by a hash of their content: among ten million lines the chance that it confuses any two is below one in 100,000.
with lines as (
    select
        ordered_on > {{ window_start | bind }} as is_last,
        hash(customer_id, ordered_at, product_id, quantity, amount) as content
    from {{ orders | identifier }}
    where ordered_on > {{ baseline_start | bind }} and ordered_on <= {{ as_of | bind }}
),

contents as (
    select
        is_last,
        count(*) as line_count
    from lines
    group by is_last, content
)

select
    coalesce(sum(line_count) filter (where is_last), 0)::bigint as last_rows,
    coalesce(sum(line_count) filter (where is_last and line_count > 1), 0)::bigint as last_repeats,
    coalesce(sum(line_count) filter (where not is_last), 0)::bigint as earlier_rows,
    coalesce(sum(line_count) filter (where not is_last and line_count > 1), 0)::bigint as earlier_repeats
from contents
