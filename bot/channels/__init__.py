"""Where the operator is: one module a platform, all showing the same neutral cards."""
