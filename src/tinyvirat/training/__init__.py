"""The paper's three phases: super-resolution, joint attention, classifier (section IV)."""
