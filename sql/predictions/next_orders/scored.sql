-- A part of the customers scored with their histories, or the first ones by a stable draw.
select * exclude (draw, part)
from {{ table | identifier }}
{% if most is not none %}
order by draw, customer_id
limit {{ most | bind }}
{% else %}
where part = {{ part | bind }}
{% endif %}
