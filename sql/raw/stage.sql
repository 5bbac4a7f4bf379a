{# Reads one file, places every row in time and judges it. Rows stay what they are: text is cast only by try_cast. #}
insert into staged_rows by name
with
{% include "raw/parts/read_rows.sql" %}
,
{% if money %}
{% include "raw/parts/meanings.sql" %}
,
{% include "raw/parts/priced.sql" %}
,
{% endif %}
{% include "raw/parts/judged.sql" %}

{% include "raw/parts/staged.sql" %}
