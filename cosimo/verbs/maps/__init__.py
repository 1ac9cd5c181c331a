"""The rooms behind `map`: projections, how true they are, and maps as pages, pictures and rows."""
