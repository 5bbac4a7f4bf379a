max((events.units > 0)::integer)
