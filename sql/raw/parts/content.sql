{% if source_format == "json" %}
cast(document as varchar)
{%- else %}
{% if source_format == "records" %}
case when fault is not null then cast(json_object('raw', raw) as varchar) else
{% endif %}
cast(json_object(
{% for field in layout.fields %}
    {{ field.name | bind }},
{% if field.family == "number" %}
    case
        when isfinite(cast({{ ("field_" ~ loop.index0) | identifier }} as double))
            then to_json({{ ("field_" ~ loop.index0) | identifier }})
        else to_json(cast({{ ("field_" ~ loop.index0) | identifier }} as varchar))
    end{% if not loop.last %},{% endif %}

{% else %}
    {{ ("field_" ~ loop.index0) | identifier }}{% if not loop.last %},{% endif %}

{% endif %}
{% endfor %}
) as varchar)
{%- if source_format == "records" %} end{% endif %}
{%- endif %}
