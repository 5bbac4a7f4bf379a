insert into {{ contract.path | identifier }} by name
select
{% for column in contract.columns %}
    {{ column.name | identifier }}{% if not loop.last %},{% endif %}

{% endfor %}
from __source__ as incoming -- noqa: AL05
