sum(events.amount)
