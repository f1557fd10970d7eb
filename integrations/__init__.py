"""One folder an integration: the class, its README, its templates. Found by entry points, never by import."""
