-- One pass: moments of the logarithms of every numeric column, clipped to its bounds, and how much was clipped.
{% with columns = bounds %}
with {% include "statistics/parts/measured.sql" %},
{% endwith %}

clipped as (
    select
    {% for low, high in bounds.values() %}{% set slot = "v" ~ loop.index0 %}
        {{ slot | identifier }},
        -- least and greatest pass over a missing value and would put the bound in its place.
        case
            when {{ slot | identifier }} is not null
                then least(greatest({{ slot | identifier }}, {{ low | bind }}::double), {{ high | bind }}::double)
        end as {{ (slot ~ "_clipped") | identifier }}{% if not loop.last %},{% endif %}

    {% endfor %}
    from measured
),

-- Each logarithm once, and not once for each of its moments.
logarithms as (
    select
    {% for column in bounds %}{% set slot = "v" ~ loop.index0 %}
        {{ slot | identifier }},
        {{ (slot ~ "_clipped") | identifier }},
        sign({{ (slot ~ "_clipped") | identifier }}) * ln(1 + abs({{ (slot ~ "_clipped") | identifier }}))
            as {{ (slot ~ "_log") | identifier }},
        ln(abs(nullif({{ slot | identifier }}, 0))) as {{ (slot ~ "_size") | identifier }}
        {%- if not loop.last %},{% endif %}

    {% endfor %}
    from clipped
)

select
{% for column in bounds %}{% set slot = "v" ~ loop.index0 %}
    avg({{ (slot ~ "_log") | identifier }}) as {{ (slot ~ "_mean") | identifier }},
    stddev_pop({{ (slot ~ "_log") | identifier }}) as {{ (slot ~ "_sd") | identifier }},
    avg({{ (slot ~ "_size") | identifier }}) as {{ (slot ~ "_scale") | identifier }},
    stddev_pop({{ (slot ~ "_size") | identifier }}) as {{ (slot ~ "_spread") | identifier }},
    count({{ (slot ~ "_size") | identifier }}) as {{ (slot ~ "_filled") | identifier }},
    count(*) filter (where {{ slot | identifier }} <> {{ (slot ~ "_clipped") | identifier }})
        as {{ (slot ~ "_outside") | identifier }}{% if not loop.last %},{% endif %}

{% endfor %}
from logarithms
