-- An empty cell of a column that says whether consent was given is no consent.
update {{ table | identifier }} set allowed = '' where allowed is null
