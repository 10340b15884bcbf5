"""The networks of the paper's figures: G, D_S and D_T."""
