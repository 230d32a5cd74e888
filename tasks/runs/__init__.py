"""tasks/runs"""
