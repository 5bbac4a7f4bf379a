select *
from {{ results | identifier }}
where stage = {{ stage | bind }}
