"""What an ensemble is worth beside its members: quality, cost, time, and how alike its members fail."""
