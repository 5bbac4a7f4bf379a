-- Customers up to a day: how many, how many ids differ from another by case, blanks, zeros in front or a trailing ".0" alone, and the most that
-- one customer and one line hold of the lines and of the spend. Money counts by its size, so that refunds hide nothing.
with ids as (
    select
        customer_id,
        count(*) as lines,
        sum(abs(amount))::double as money,
        max(abs(amount))::double as largest_line
    from {{ orders | identifier }}
    where ordered_on <= {{ as_of | bind }}
    group by customer_id
),

folded as (
    select
        regexp_replace(lower(customer_id), '[\s\x{00a0}]', '', 'g') as folded_id,
        count(*) as spellings
    from ids
    group by 1
),

spelled as (
    select sum(spellings) as spellings
    from folded
    -- Of numbers, zeros in front and a trailing ".0" are left out: spreadsheets lose and add them.
    group by
        case
            when regexp_full_match(folded_id, '[0-9]+(\.0+)?') then ltrim(regexp_replace(folded_id, '\.0+$', ''), '0')
            else regexp_replace(folded_id, '\.0+$', '')
        end
)

select
    count(*) as customers,
    coalesce(sum(lines), 0)::bigint as lines,
    coalesce(max(lines), 0)::bigint as most_lines,
    coalesce(sum(money), 0)::double as money,
    coalesce(max(money), 0)::double as most_money,
    coalesce(max(largest_line), 0)::double as largest_line,
    (select coalesce(sum(spellings) filter (where spellings > 1), 0)::bigint from spelled) as alike,
    (select count(*) filter (where spellings > 1) from spelled) as people,
    (select count(*) from folded) as folded,
    (select count(*) from spelled) as plain
from ids
