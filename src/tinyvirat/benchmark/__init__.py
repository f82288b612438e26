"""How fast everything is: against the published networks, and against what the machine can do."""
