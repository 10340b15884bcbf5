"""What keeps D from memorising a small training set.

A new regulariser of D is a file here, and a line in a gin file; see
`regularizer.Regularizer`.
"""
