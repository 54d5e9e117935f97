"""Google's GNM Head, from the user's own file. Nothing of it is in this package."""
