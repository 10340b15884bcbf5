"""Training clips: where they come from and how they are drawn."""
