"""What the kernel can call: retrieval, prompt functions, semantic memory."""
