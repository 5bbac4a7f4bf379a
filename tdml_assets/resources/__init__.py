"""What assets reach the outside through: the warehouse, the model store, files."""
