{# The schema a model asks for is its schema, without the target's name before it: other tools read staging and features. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ target.schema if custom_schema_name is none else custom_schema_name | trim }}
{%- endmacro %}
