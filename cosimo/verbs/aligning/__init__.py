"""The rooms behind `align`: the maps that can be learned, testing them on pairs held out, keeping them."""
