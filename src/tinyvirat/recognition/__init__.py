"""From video to named actions: models on videos, result objects, pictures."""
