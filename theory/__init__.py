"""The theory of neural-network pruning: every claim is one module that states it."""
