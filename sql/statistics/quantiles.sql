-- Observed values at the probabilities, so that a value met at two of them is one that many rows share.
with {% include "statistics/parts/measured.sql" %}

select
{% for column in columns %}
    quantile_disc({{ ("v" ~ loop.index0) | identifier }}, {{ probabilities | bind }}::double[])
        as {{ ("v" ~ loop.index0) | identifier }}{% if not loop.last %},{% endif %}

{% endfor %}
from measured
