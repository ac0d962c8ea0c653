"""One published table each, under the name that studies declare: what its rows and columns are."""
