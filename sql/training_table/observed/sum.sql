sum(events.{{ column | identifier }})
