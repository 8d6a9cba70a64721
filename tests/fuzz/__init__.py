"""Mutation fuzzer of the layer readers: good files, seeded damage, readers in child processes under limits."""
