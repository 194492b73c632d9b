"""Mixtures of experts: a dense model's feed-forward layers upcycled, or LoRA experts over one base, routed by token."""
