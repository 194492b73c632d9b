"""What steps do, a module for each kind."""
