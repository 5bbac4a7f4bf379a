{# Rows that say what a line came to: those accepted, and those that say that it counts as nothing. #}
(staged_rows.staged_reason is null or staged_rows.staged_reason in ('void_status', 'ignored_status'))
