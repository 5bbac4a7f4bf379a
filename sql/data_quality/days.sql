-- A raw table day by day, up to as_of, in one pass: rows, values that are there, and logarithms of money that is not 0.
select
    {{ day | identifier }} as day,
    count(*) as row_count
{% for column in filled %}
    , count({{ column | identifier }}) as {{ ("filled_" ~ column) | identifier }}
{% endfor %}
{% for column in scaled %}
    , count(*) filter (where {{ column | identifier }} <> 0) as {{ ("scaled_" ~ column) | identifier }}
    , sum(ln(abs(cast({{ column | identifier }} as double)))) filter (where {{ column | identifier }} <> 0)
        as {{ ("log_sum_" ~ column) | identifier }}
{% endfor %}
from {{ table | identifier }}
where {{ day | identifier }} <= {{ as_of | bind }}
group by {{ day | identifier }}
order by {{ day | identifier }}
