"""The rooms behind `cluster`: centres, density, how many, names, levels, agreement with labels."""
