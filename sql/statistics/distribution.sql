-- Everything that is shown about one column's distribution, in one pass.
with measured as (
    select case when isfinite({{ column | identifier }}::double) then {{ column | identifier }}::double end as v
    from {{ table | identifier }}
    where true
    {% for name, value in where.items() %}
        and {{ name | identifier }} = {{ value | bind }}
    {% endfor %}
)

select
    count(v) as n,
    count(*) filter (where v = 0) as zeros,
    avg(v) as mean,
    stddev_pop(v) as sd,
    min(v) as minimum,
    max(v) as maximum,
    quantile_cont(v, [0.25, 0.5, 0.75]) as quartiles,
    quantile_disc(v, [0.01, 0.99]) filter (where v <> 0) as tails_without_zero,
    min(v) filter (where v <> 0) as minimum_without_zero,
    max(v) filter (where v <> 0) as maximum_without_zero,
    skewness(v) as skew,
    kurtosis(v) as kurt
from measured
