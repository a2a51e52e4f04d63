"""Reports: the notebooks run with checked parameters and rendered to pages that open from disk."""
