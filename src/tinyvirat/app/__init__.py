"""A page to try recognition on, and to teach it: `server` runs it, `page` is what it shows."""
