"""What YAML may say: frozen, validated pydantic models, and nothing else.

Belongs here: keys, bounds, defaults and what makes a value invalid. Does not: what follows from them (the stage that reads them).
"""
