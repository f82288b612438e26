"""What comes out of recognition: one module a file that is written. `opening` opens them."""
