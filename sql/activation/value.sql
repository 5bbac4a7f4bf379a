{% if column.identifier is none %}attributes.{{ column.source | identifier }}
{%- else -%}
{% if column.identifier.hash == "sha256" %}sha256({% endif %}
{%- if column.identifier.form == "email" -%}
nullif(lower(trim(identifiers.{{ column.name | identifier }})), '')
{%- elif column.identifier.form == "phone" -%}
nullif('+' || ltrim(regexp_replace(identifiers.{{ column.name | identifier }}, '[^0-9]', '', 'g'), '0'), '+')
{%- else -%}
nullif(trim(identifiers.{{ column.name | identifier }}), '')
{%- endif -%}
{% if column.identifier.hash == "sha256" %}){% endif %}
{%- endif -%}
