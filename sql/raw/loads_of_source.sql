select *
from {{ loads | identifier }}
where source = {{ source | bind }}
order by file
