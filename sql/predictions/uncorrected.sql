select predicted_target as {{ column | identifier }}
from {{ table | identifier }}
