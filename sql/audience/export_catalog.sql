select
    "column"
    , type
    , "grouping"
    , workflow
    , description
from {{ table | identifier }}
