"""Real parts: preferred values, the drawer, and the set of parts that does best."""
