"""Do networks learn features by the average gradient outer product? The neural feature ansatz, layer by layer."""
