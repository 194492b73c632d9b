"""Generation in batches: a decoder computed by OpenVINO over a cache of keys and values in blocks.

Requests of any length share one step, as rows of one flat batch, and each row may have its own adapter. The blocks of
what was read before are kept and found again by their tokens, so that prompts that begin alike are read once.

Source: Kwon et al., "Efficient Memory Management for Large Language Model Serving with PagedAttention", SOSP 2023.
"""
