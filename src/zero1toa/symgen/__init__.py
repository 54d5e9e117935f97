"""From a portrait to an avatar: placing splats and training them."""
