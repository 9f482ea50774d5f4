"""From the legacy strategy to its successors."""
