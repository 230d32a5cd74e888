"""tasks/data/readers"""
