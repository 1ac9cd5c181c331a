"""Contracts: one suite for every adapter of a kind."""
