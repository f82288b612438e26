"""Annotated videos become a data set of small clips: TinyVIRAT's construction, carried out."""
