"""<workflow>/triage: what the monitoring of a session means, and the alerts about it."""
