"""tasks/registry"""
