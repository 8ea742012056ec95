"""What an operator does to whole schemas: swap, roll back, roles, switch-over, comparison."""
