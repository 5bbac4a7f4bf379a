"""<workflow>/drift and drift_report: today against the champion's reference."""
