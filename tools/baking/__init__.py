"""What makes the committed head asset. Runs at build time only, never when zero1toa is used."""
