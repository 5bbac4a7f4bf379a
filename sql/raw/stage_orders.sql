{# Judges the rows of all files at once, after every row was given the values of other rows of its order. #}
insert into staged_rows by name
with
{% include "raw/parts/carried.sql" %}
,
{% include "raw/parts/meanings.sql" %}
,
{% include "raw/parts/refunds.sql" %}
,
{% include "raw/parts/priced.sql" %}
,
{% include "raw/parts/judged.sql" %}

{% include "raw/parts/staged.sql" %}
