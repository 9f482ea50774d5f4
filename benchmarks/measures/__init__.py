"""What is measured: one module for each letter of `docs/performance.md`."""
