"""llama.cpp's server: found, started, watched and ended."""
