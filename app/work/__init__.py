"""How much work is taken on, and when it ends: who waits for it, and what it may use."""
