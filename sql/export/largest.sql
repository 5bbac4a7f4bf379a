-- The largest absolute value of each column; NULL for a column without a value.
select
    count(*) as {{ "row count" | identifier }}
{% for column in columns %}
    , max(abs({{ column | identifier }})) as {{ column | identifier }}
{% endfor %}
from {{ table | identifier }}
