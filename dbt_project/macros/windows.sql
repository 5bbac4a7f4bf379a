{# Lengths of the trailing windows, in days. Window N of snapshot S is (S - N, S]: a day exactly N days back is outside. #}
{% macro window_days() %}{{ return([30, 90, 365]) }}{% endmacro %}

{# Whether the day `on_day` lies in the trailing window of `days` days. What lies after the snapshot is filtered before. #}
{% macro in_window(on_day, days) -%}
{{ on_day }} > snapshot_date - {{ days }}
{%- endmacro %}
