"""What computes an embedding model: torch, ONNX Runtime or OpenVINO, in float32 or less, behind one interface."""
