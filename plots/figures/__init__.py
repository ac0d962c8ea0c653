"""One module for each figure, under its name: it turns `Material` into a `Chart`."""
