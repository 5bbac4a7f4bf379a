-- The model as a table.
create table {{ weights | identifier }} as
{% for row in rows %}
select {{ row.feature | bind }} as feature, {{ row.weight | bind }} as weight{% if not loop.last %} union all{% endif %}

{% endfor %}
