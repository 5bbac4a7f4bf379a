{% if kind.observed is none %}
    0::double
    {% elif kind.is_absence %}
    (1 - coalesce(observed.amount, 0))::double
    {% else %}
    greatest(coalesce(observed.amount, 0), 0)::double
    {% endif %}
