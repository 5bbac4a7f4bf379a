-- A bin is open on the left and closed on the right; what lies over the last edge is counted under infinity.
{% with columns = edges %}
with {% include "statistics/parts/measured.sql" %}
{% endwith %}

select
    count(*) as row_count{% for values in edges.values() %},

    histogram({{ ("v" ~ loop.index0) | identifier }}, {{ values | bind }}::double[]) as {{ ("v" ~ loop.index0) | identifier }}
{%- endfor %}

from measured
