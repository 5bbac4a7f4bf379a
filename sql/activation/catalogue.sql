-- Workflow and day per attribute.
select *
from {{ catalogue | identifier }}
