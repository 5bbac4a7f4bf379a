-- One pass over the training split: one row, the statistics of every numeric column side by side. Mean and deviation are
-- those of the transformed column, which is what they scale; the rest passes through a monotone transform unharmed.
select
    count(*) as row_count{% for column in columns %},

    count({{ column | identifier }}) as {{ (column ~ "/n") | identifier }},
    min({{ column | identifier }}) as {{ (column ~ "/min") | identifier }},
    max({{ column | identifier }}) as {{ (column ~ "/max") | identifier }},
    {% if transform == "log1p" %}
    avg(sign({{ column | identifier }}) * ln(1 + abs({{ column | identifier }}))) as {{ (column ~ "/mean") | identifier }},
    stddev_pop(sign({{ column | identifier }}) * ln(1 + abs({{ column | identifier }}))) as {{ (column ~ "/stdev") | identifier }},
    {% else %}
    avg({{ column | identifier }}) as {{ (column ~ "/mean") | identifier }},
    stddev_pop({{ column | identifier }}) as {{ (column ~ "/stdev") | identifier }},
    {% endif %}
    quantile_cont({{ column | identifier }}::double, [0.25, 0.5, 0.75, {{ low | bind }}, {{ high | bind }}]) as {{ (column ~ "/quantiles") | identifier }}
{%- endfor %}

from {{ table | identifier }}
where split = 'train'
