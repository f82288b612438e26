"""The paper's tables, row by row: which runs they take, carrying them out, and what came of it."""
