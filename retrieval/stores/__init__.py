"""Where an index is kept: a folder, PostgreSQL or Qdrant, behind one interface."""
