-- Attributes that stay as they were last published.
select
    customer_id
{% for workflow in workflows %}
{% for attribute in workflow.attributes %}
    , {{ attribute.name | identifier }}
{% endfor %}
{% endfor %}
from {{ table | identifier }}
