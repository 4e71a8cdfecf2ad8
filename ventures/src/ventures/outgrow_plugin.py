"""What `outgrow` moves and measures of this platform: the vector index, venture by venture."""
