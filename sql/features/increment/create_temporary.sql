create or replace temporary {% if is_view %}view{% else %}table{% endif %} {{ path | identifier }} as
__model__
