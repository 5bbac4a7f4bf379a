-- The most frequent levels of every text column. Rare ones stay unnamed: they may be a single customer's.
with measured as (
    select
    {% for column in columns %}
        {{ column | identifier }}::varchar as {{ ("v" ~ loop.index0) | identifier }}{% if not loop.last %},{% endif %}

    {% endfor %}
    from {{ table | identifier }}
    where true
    {% for column, value in where.items() %}
        and {{ column | identifier }} = {{ value | bind }}
    {% endfor %}
),

long as (
    unpivot measured
    on {% for column in columns %}{{ ("v" ~ loop.index0) | identifier }}{% if not loop.last %}, {% endif %}{% endfor %}

    into name slot value level
),

counted as (
    select
        slot,
        level,
        count(*) as row_count
    from long
    group by slot, level
)

select
    slot,
    level,
    row_count
from counted
where row_count >= {{ min_rows | bind }}
qualify row_number() over (partition by slot order by row_count desc, level asc) <= {{ top | bind }}
order by slot asc, row_count desc, level asc
