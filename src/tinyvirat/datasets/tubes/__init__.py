"""TinyVIRAT's construction (section III of the paper) as pure functions: annotations to clips."""
