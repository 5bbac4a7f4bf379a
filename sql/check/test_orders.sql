-- Order lines that look like tests, by what says so. Of amounts, those of customers who never paid anything else.
with small as (
    select customer_id
    from {{ orders | identifier }}
    group by customer_id
    having count(*) >= {{ repeated | bind }}::bigint and bool_and(amount in (0.01, 1.00))
),
{% if named %}
named as (
    select customer_id
    from {{ customers | identifier }}
    where
{% for column in named %}
        regexp_matches(lower({{ column | identifier }}), {{ test_pattern | bind }}){% if not loop.last %} or{% endif %}

{% endfor %}
),
{% endif %}
signs as (
    select
        lines.amount,
        lines.customer_id,
        case
            when regexp_matches(lower(lines.customer_id), {{ test_pattern | bind }}) then 'customer_id'
{% if named %}
            when lines.customer_id in (select customer_id from named) then 'customers'
{% endif %}
            when regexp_matches(lower(lines.order_id), {{ test_pattern | bind }}) then 'order_id'
            when regexp_matches(lower(lines.product_id), {{ product_pattern | bind }}) then 'product'
            when regexp_matches(lower(lines.product_name), {{ product_pattern | bind }}) then 'product'
            when regexp_matches(lower(lines.order_type), {{ test_pattern | bind }}) then 'order_type'
            when lines.customer_id in (select customer_id from small) then 'amount'
        end as sign
    from {{ orders | identifier }} as lines
)

select
    sign,
    count(*) as order_lines,
    count(distinct customer_id) as customers,
    sum(amount) as amount
from signs
where sign is not null
group by sign
order by order_lines desc, sign
