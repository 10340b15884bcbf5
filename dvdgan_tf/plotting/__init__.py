"""Pictures of what training and evaluation have written."""
