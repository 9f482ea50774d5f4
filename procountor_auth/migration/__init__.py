"""The migration from the legacy strategy to its successors."""
