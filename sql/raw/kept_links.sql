-- To whom old ids belong, without persons who asked to be forgotten.
select
    links.old_id,
    links.person as customer_id,
    links.valid_from,
    links.valid_to
from identity_links as links
where
    links.old_id <> links.person
{% if forgotten is not none %}
{% with subject = ["links", "old_id"] %}
    and not {% include "raw/parts/is_forgotten.sql" %}
{% endwith %}

{% with subject = ["links", "person"] %}
    and not {% include "raw/parts/is_forgotten.sql" %}
{% endwith %}

{% endif %}
