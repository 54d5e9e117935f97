"""How good an avatar or a video is, in numbers and pictures."""
