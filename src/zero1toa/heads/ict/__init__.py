"""ICT-FaceKit's light face model, from the user's own folder. Nothing of it is in this package."""
