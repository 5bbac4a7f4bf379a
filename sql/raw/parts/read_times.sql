{# Of the columns of readings.sql: the local time, the instant, and whether it is a day without a time. #}
        coalesce({% for reading in times.readings if not reading.is_instant %}{{ reading.column | identifier }}, {% endfor %}cast(null as timestamp)) as {{ times.local | identifier }},
        coalesce({% for reading in times.readings if reading.is_instant %}{{ reading.column | identifier }}, {% endfor %}cast(null as timestamptz)) as {{ times.instant | identifier }},
        coalesce(case
{% for reading in times.readings %}
            when {{ reading.column | identifier }} is not null then {% if reading.kind == "iso_local" %}not regexp_matches({{ times.given | identifier }}, ':|T'){% elif reading.kind == "excel" %}{{ reading.column | identifier }} = date_trunc('day', {{ reading.column | identifier }}){% elif reading.is_day %}true{% else %}false{% endif %}

{% endfor %}
        end, false) as {{ times.is_day | identifier }}
