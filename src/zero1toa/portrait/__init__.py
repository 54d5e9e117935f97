"""From a photo to a fitted head, its colours and its hair."""
