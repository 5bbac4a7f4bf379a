-- What becomes of every customer, computed once for the figures and the changes of a sync.
create or replace temp table plan_of_sync as
{% include "activation/plan.sql" %}
