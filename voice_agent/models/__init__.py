"""Models that are downloaded once: what there is, where they lie, how they come here and stay whole."""
