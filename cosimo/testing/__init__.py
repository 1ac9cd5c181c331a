"""Contract suites and fakes for authors of plug-ins: what a class must do to be an embedder, a store or an index."""
