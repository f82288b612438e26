"""Recognition over HTTP: `app` is the service; `remote` decodes uploads in other processes."""
