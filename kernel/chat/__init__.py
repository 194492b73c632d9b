"""Chat services: who writes an answer, behind Semantic Kernel's one interface."""
