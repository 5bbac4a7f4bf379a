-- Customers whose id is a word for nobody or looks like a test: per such id its lines and the size of its money.
with ids as (
    select
        lower(trim(customer_id)) as plain_id,
        count(*) as lines,
        sum(abs(amount))::double as money
    from {{ orders | identifier }}
    where ordered_on <= {{ as_of | bind }}
    group by customer_id
)

select
    case when list_contains({{ words | bind }}, plain_id) then plain_id when regexp_full_match(plain_id, '0+(\.0+)?') then '0' end as word,
    sum(lines)::bigint as lines,
    sum(money)::double as money,
    (select count(*) from ids) as customers
from ids
where
    list_contains({{ words | bind }}, plain_id)
    or regexp_full_match(plain_id, '0+(\.0+)?')
    or regexp_matches(plain_id, {{ test_pattern | bind }})
group by 1
order by 2 desc, 1
