"""<workflow>/session_report: the page of a session, and the overview of all workflows."""
