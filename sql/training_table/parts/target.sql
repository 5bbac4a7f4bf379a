{% if kind == "unlabelled" %}
    0::double
    {% elif kind in ("no_purchase", "none") %}
    (1 - coalesce(observed.amount, 0))::double
    {% else %}
    greatest(coalesce(observed.amount, 0), 0)::double
    {% endif %}
