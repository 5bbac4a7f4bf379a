-- One pass over the training and the test rows: one row per split, the moments of every column side by side.
with measured as (
    select
        split{% for column in columns %},

        case when isfinite({{ column | identifier }}::double) then {{ column | identifier }}::double end
            as {{ ("v" ~ loop.index0) | identifier }}
    {%- endfor %}

    from {{ table | identifier }}
    where split in ('train', 'test')
)

select
    split,
    count(*) as row_count{% for column in columns %}{% set slot = "v" ~ loop.index0 %},

    count({{ slot | identifier }}) as {{ (slot ~ "_n") | identifier }},
    avg({{ slot | identifier }}) as {{ (slot ~ "_mean") | identifier }},
    stddev_pop({{ slot | identifier }}) as {{ (slot ~ "_sd") | identifier }},
    min({{ slot | identifier }}) as {{ (slot ~ "_min") | identifier }},
    max({{ slot | identifier }}) as {{ (slot ~ "_max") | identifier }}
{%- endfor %}

from measured
group by split
order by split asc
