"""The workflows that ship: one YAML file each."""
