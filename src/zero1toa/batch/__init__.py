"""Many portraits: which there are, what is made of each, who works, and what is kept of it all."""
