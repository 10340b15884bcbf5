"""The layers of DVD-GAN, one equation of the paper each."""
