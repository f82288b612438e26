"""Recipes: one YAML file a row of a table, named for it (`tinyvirat.training.recipe`)."""
