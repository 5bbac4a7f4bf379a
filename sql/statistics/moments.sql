-- One pass over the table: one row, the moments of every numeric column side by side. What is not finite counts as missing.
with {% include "statistics/parts/measured.sql" %}

select
    count(*) as row_count{% for column in columns %}{% set slot = "v" ~ loop.index0 %},

    count({{ slot | identifier }}) as {{ (slot ~ "_n") | identifier }},
    avg({{ slot | identifier }}) as {{ (slot ~ "_mean") | identifier }},
    stddev_pop({{ slot | identifier }}) as {{ (slot ~ "_sd") | identifier }},
    min({{ slot | identifier }}) as {{ (slot ~ "_min") | identifier }},
    max({{ slot | identifier }}) as {{ (slot ~ "_max") | identifier }}
{%- endfor %}

from measured
