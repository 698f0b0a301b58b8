"""HTTP face of the engine: Qdrant's REST surface over ``index``. Knows no vector maths."""
