"""What keeps D from learning a small training set by heart."""
