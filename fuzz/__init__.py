"""The project's fuzzer: mutants of publishers' files, and what the readers and contracts make of them."""
