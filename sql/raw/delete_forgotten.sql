delete from {{ table | identifier }}
where
{% with subject = "customer_id" %}
    {% include "raw/parts/is_forgotten.sql" %}

{% endwith %}
