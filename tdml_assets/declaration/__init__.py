"""What YAML may say: frozen, validated pydantic models, and nothing else."""
