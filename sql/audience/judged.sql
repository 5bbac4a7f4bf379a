-- The attributes as they would be published: looked at first, and taken from here where they are.
create or replace temporary table {{ table | identifier }} as
with attributes as (
{% include "audience/parent_segment_attributes.sql" %}

)

select * from attributes
