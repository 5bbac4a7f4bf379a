{% if source_format == "json" %}
cast(document as varchar)
{%- else %}
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
{%- endif %}
