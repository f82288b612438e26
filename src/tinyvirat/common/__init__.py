"""What every room stands on: errors, files, progress. Imports nothing of the house."""
