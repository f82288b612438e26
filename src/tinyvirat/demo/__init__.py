"""The demonstration: scenes are rendered, the three phases trained on them, and a page written.

Its scenes are drawings. What it measures shows that the parts work together, and how they compare
on drawings; it is no result about real video.
"""
